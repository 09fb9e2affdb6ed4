#include "machine/aml.h"

#include <string.h>

/* ACPI 20.3. */
enum {
        OP_ZERO = 0x00,
        OP_ONE = 0x01,
        OP_NAME = 0x08,
        OP_BYTE = 0x0a,
        OP_WORD = 0x0b,
        OP_DWORD = 0x0c,
        OP_STRING = 0x0d,
        OP_QWORD = 0x0e,
        OP_SCOPE = 0x10,
        OP_BUFFER = 0x11,
        OP_PACKAGE = 0x12,
        OP_DUAL_NAME = 0x2e,
        OP_EXTENDED = 0x5b,
        OP_DEVICE = 0x82, /* after OP_EXTENDED */
        N_SEGMENT = 4,
};

void aml_bytes(struct aml *aml, const void *bytes, size_t n) {
        if (n > aml->n_max - aml->n) {
                aml->is_too_long = true;
                return;
        }
        memcpy(aml->bytes + aml->n, bytes, n);
        aml->n += n;
}

void aml_byte(struct aml *aml, uint8_t byte) {
        aml_bytes(aml, &byte, 1);
}

static void little_endian(struct aml *aml, uint64_t value, unsigned n) {
        for (unsigned i = 0; i < n; i++)
                aml_byte(aml, (uint8_t)(value >> i * 8));
}

/* ACPI 20.2.2: one segment, or two with their prefix. */
static void path_of(struct aml *aml, const char *path) {
        if (*path == '\\')
                aml_byte(aml, (uint8_t)*path++);
        if (strlen(path) > N_SEGMENT)
                aml_byte(aml, OP_DUAL_NAME);
        aml_bytes(aml, path, strlen(path));
}

void aml_name(struct aml *aml, const char *path) {
        aml_byte(aml, OP_NAME);
        path_of(aml, path);
}

void aml_integer(struct aml *aml, uint64_t value) {
        if (value <= 1) {
                aml_byte(aml, value ? OP_ONE : OP_ZERO);
        } else if (value <= UINT8_MAX) {
                aml_byte(aml, OP_BYTE);
                little_endian(aml, value, 1);
        } else if (value <= UINT16_MAX) {
                aml_byte(aml, OP_WORD);
                little_endian(aml, value, 2);
        } else if (value <= UINT32_MAX) {
                aml_byte(aml, OP_DWORD);
                little_endian(aml, value, 4);
        } else {
                aml_byte(aml, OP_QWORD);
                little_endian(aml, value, 8);
        }
}

void aml_string(struct aml *aml, const char *text) {
        aml_byte(aml, OP_STRING);
        aml_bytes(aml, text, strlen(text) + 1);
}

static unsigned hex_of(char digit) {
        return digit <= '9' ? (unsigned)digit - '0' : (unsigned)digit - 'A' + 10;
}

/* Three letters of five bits each, and four hexadecimal digits; in the order of bytes that EISA has. */
void aml_eisa_id(struct aml *aml, const char *id) {
        const unsigned letters = (unsigned)(id[0] & 31) << 10 | (unsigned)(id[1] & 31) << 5 | (unsigned)(id[2] & 31);

        aml_byte(aml, OP_DWORD);
        aml_byte(aml, (uint8_t)(letters >> 8));
        aml_byte(aml, (uint8_t)letters);
        aml_byte(aml, (uint8_t)(hex_of(id[3]) << 4 | hex_of(id[4])));
        aml_byte(aml, (uint8_t)(hex_of(id[5]) << 4 | hex_of(id[6])));
}

/* --- blocks ------------------------------------------------------------------------------------------------------ */

size_t aml_begin_scope(struct aml *aml, const char *path) {
        size_t begun;

        aml_byte(aml, OP_SCOPE);
        begun = aml->n;
        path_of(aml, path);
        return begun;
}

size_t aml_begin_device(struct aml *aml, const char *name) {
        size_t begun;

        aml_byte(aml, OP_EXTENDED);
        aml_byte(aml, OP_DEVICE);
        begun = aml->n;
        path_of(aml, name);
        return begun;
}

size_t aml_begin_package(struct aml *aml, uint8_t n_elements) {
        size_t begun;

        aml_byte(aml, OP_PACKAGE);
        begun = aml->n;
        aml_byte(aml, n_elements);
        return begun;
}

/* PkgLength counts itself: ACPI 20.2.4.  Up to 63 in one byte, else the low four bits, and eight more in each byte that follows. */
static unsigned length_of(uint8_t bytes[static 4], size_t n_inside) {
        unsigned n_more = 0;

        if (n_inside + 1 <= 63) {
                bytes[0] = (uint8_t)(n_inside + 1);
                return 1;
        }
        while (n_more < 3 && n_inside + 1 + n_more >= (size_t)1 << (4 + 8 * n_more))
                n_more++;
        n_inside += 1 + n_more;
        bytes[0] = (uint8_t)(n_more << 6 | (n_inside & 15));
        for (unsigned i = 0; i < n_more; i++)
                bytes[1 + i] = (uint8_t)(n_inside >> (4 + 8 * i));
        return 1 + n_more;
}

/* What is there already makes room. */
static void insert(struct aml *aml, size_t at, const uint8_t *bytes, size_t n) {
        if (n > aml->n_max - aml->n || at > aml->n) {
                aml->is_too_long = true;
                return;
        }
        memmove(aml->bytes + at + n, aml->bytes + at, aml->n - at);
        memcpy(aml->bytes + at, bytes, n);
        aml->n += n;
}

void aml_end(struct aml *aml, size_t begun) {
        uint8_t length[4];

        insert(aml, begun, length, length_of(length, aml->n - begun));
}

size_t aml_begin_resources(struct aml *aml) {
        aml_byte(aml, OP_BUFFER);
        return aml->n;
}

void aml_end_resources(struct aml *aml, size_t begun) {
        uint8_t size[9];
        struct aml number = { .bytes = size, .n_max = sizeof(size) };

        /* The end tag, whose checksum 0 means that there is none: ACPI 6.4.2.9. */
        aml_byte(aml, 0x79);
        aml_byte(aml, 0x00);
        aml_integer(&number, aml->n - begun);
        insert(aml, begun, size, number.n);
        aml_end(aml, begun);
}

/* --- descriptors ------------------------------------------------------------------------------------------------- */

void aml_ports(struct aml *aml, uint16_t first, uint8_t n) {
        aml_byte(aml, 0x47);
        aml_byte(aml, 0x01); /* all 16 bits are decoded */
        little_endian(aml, first, 2);
        little_endian(aml, first, 2);
        aml_byte(aml, 0x01); /* alignment */
        aml_byte(aml, n);
}

void aml_isa_interrupt(struct aml *aml, unsigned interrupt) {
        aml_byte(aml, 0x22);
        little_endian(aml, 1U << interrupt, 2);
}

void aml_memory(struct aml *aml, uint32_t address, uint32_t n_bytes) {
        aml_byte(aml, 0x86);
        little_endian(aml, 9, 2);
        aml_byte(aml, 0x01); /* it can be written */
        little_endian(aml, address, 4);
        little_endian(aml, n_bytes, 4);
}

void aml_edge_interrupt(struct aml *aml, uint32_t interrupt) {
        aml_byte(aml, 0x89);
        little_endian(aml, 6, 2);
        aml_byte(aml, 0x03); /* for this device, by an edge, active high, its own */
        aml_byte(aml, 1);
        little_endian(aml, interrupt, 4);
}
