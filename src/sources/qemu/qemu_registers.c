#include "sources/qemu/qemu_registers.h"

#include <string.h>

enum {
        EFLAGS_IF = 1 << 9,
        VCPUS_MAX = 4096,
};

/* What one "CPU#n" section has said so far. */
struct section {
        bool is_halted;
        bool has_flags; /* the line with EIP, EFL and HLT */
        bool has_cs;
        uint64_t ip;
        uint64_t flags;
        uint64_t cs_base;
};

/* The line's next word after `key`, as a hexadecimal number; key is found at a word's start only. */
static bool find_number(const char *line, size_t n_line, const char *key, uint64_t *ret_number) {
        size_t n_key = strlen(key);

        for (size_t i = 0; i + n_key < n_line; i++) {
                uint64_t number = 0;
                size_t n_digits = 0;

                if ((i && line[i - 1] != ' ') || memcmp(line + i, key, n_key))
                        continue;
                for (i += n_key; i < n_line && n_digits <= 16; i++, n_digits++) {
                        char c = line[i];

                        if (c >= '0' && c <= '9')
                                number = number << 4 | (uint64_t)(c - '0');
                        else if (c >= 'a' && c <= 'f')
                                number = number << 4 | (uint64_t)(c - 'a' + 10);
                        else
                                break;
                }
                if (!n_digits || n_digits > 16 || (i < n_line && line[i] != ' '))
                        return false;
                *ret_number = number;
                return true;
        }
        return false;
}

static bool starts_with(const char *line, size_t n_line, const char *prefix) {
        return n_line >= strlen(prefix) && !memcmp(line, prefix, strlen(prefix));
}

/* "EIP=00000002 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=1", in 64 bit mode RIP and RFL. */
static bool read_flags(struct section *section, const char *line, size_t n_line) {
        bool is_long = starts_with(line, n_line, "RIP=");
        uint64_t halted;

        if (section->has_flags || !find_number(line, n_line, is_long ? "RIP=" : "EIP=", &section->ip) ||
            !find_number(line, n_line, is_long ? "RFL=" : "EFL=", &section->flags) ||
            !find_number(line, n_line, "HLT=", &halted) || halted > 1)
                return false;
        section->is_halted = halted;
        section->has_flags = true;
        return true;
}

/* "CS =f000 ffff0000 0000ffff 00009b00": selector, base, limit, attributes. */
static bool read_cs(struct section *section, const char *line, size_t n_line) {
        static const char prefix[] = "CS =";
        const char *end = line + n_line;
        const char *base;

        line += strlen(prefix);
        base = memchr(line, ' ', (size_t)(end - line));
        section->has_cs = base && find_number(base + 1, (size_t)(end - (base + 1)), "", &section->cs_base);
        return section->has_cs;
}

static bool was_never_started(const struct section *section) {
        return section->ip == 0xfff0 && section->cs_base == UINT64_C(0xffff0000) &&
               !(section->flags & EFLAGS_IF);
}

struct qemu_registers qemu_registers_read(const char *text, size_t n_text, unsigned n_vcpus) {
        const struct qemu_registers unknown = { 0 };
        struct qemu_registers registers = { .halted = TRISTATE_TRUE };
        struct section section = { 0 };

        /* Every line ends; one that does not was cut. */
        if (!n_text || text[n_text - 1] != '\n')
                return unknown;

        for (size_t at = 0; at <= n_text;) {
                const char *line = text + at;
                const char *end = at < n_text ? memchr(line, '\n', n_text - at) : NULL;
                size_t n_line = end ? (size_t)(end - line) : 0;
                bool is_last = !end;

                at += n_line + 1;
                if (n_line && line[n_line - 1] == '\r')
                        n_line--;

                if (is_last || starts_with(line, n_line, "CPU#")) {
                        if (registers.vcpus) {
                                bool is_still = section.is_halted && !(section.flags & EFLAGS_IF);

                                if (!section.has_flags || !section.has_cs)
                                        return unknown;
                                if (!is_still && (registers.vcpus == 1 || !was_never_started(&section)))
                                        registers.halted = TRISTATE_FALSE;
                        }
                        if (is_last)
                                break;
                        if (++registers.vcpus > VCPUS_MAX)
                                return unknown;
                        section = (struct section){ 0 };
                } else if (starts_with(line, n_line, "EIP=") || starts_with(line, n_line, "RIP=")) {
                        if (!read_flags(&section, line, n_line))
                                return unknown;
                } else if (starts_with(line, n_line, "CS =")) {
                        if (section.has_cs || !read_cs(&section, line, n_line))
                                return unknown;
                }
        }
        if (!registers.vcpus || (n_vcpus && registers.vcpus != n_vcpus))
                return unknown;
        return registers;
}

struct evidence qemu_registers_evidence(struct qemu_registers registers) {
        struct evidence evidence = evidence_make(SOURCE_QMP, EVIDENCE_REGISTERS);

        evidence.flag = registers.halted;
        evidence.number = registers.vcpus;
        return evidence;
}
