/*
 * AML: the byte code that a DSDT is made of (ACPI 6.5, 20).
 *
 * Knows how names, numbers, packages and blocks are written, as short as they can be.  Does not know what a machine has.  Beyond its room it writes nothing,
 * and says so.  Pure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
        uint8_t *bytes; /* borrowed */
        size_t n, n_max;
        bool is_too_long;
};

void aml_byte(struct aml *aml, uint8_t byte);
void aml_bytes(struct aml *aml, const void *bytes, size_t n);

/* Name (…): what follows is its value.  A path of four letters each; "\\" before it: from the root. */
void aml_name(struct aml *aml, const char *path);
void aml_integer(struct aml *aml, uint64_t value);
void aml_string(struct aml *aml, const char *text);
/* "PNP0501", as the number that it is: ACPI 19.3.4, EISAID. */
void aml_eisa_id(struct aml *aml, const char *id);

/* What is written between a begin and its end is its inside. */
size_t aml_begin_scope(struct aml *aml, const char *path);
size_t aml_begin_device(struct aml *aml, const char *name);
size_t aml_begin_package(struct aml *aml, uint8_t n_elements);
/* A buffer of resource descriptors (ACPI 6.4); it gets its end tag and its size by itself. */
size_t aml_begin_resources(struct aml *aml);
void aml_end(struct aml *aml, size_t begun);
void aml_end_resources(struct aml *aml, size_t begun);

/* Descriptors: I/O ports (6.4.2.5), an ISA interrupt (6.4.2.1), memory (6.4.3.4), an interrupt of its own, by an edge (6.4.3.6). */
void aml_ports(struct aml *aml, uint16_t first, uint8_t n);
void aml_isa_interrupt(struct aml *aml, unsigned interrupt);
void aml_memory(struct aml *aml, uint32_t address, uint32_t n_bytes);
void aml_edge_interrupt(struct aml *aml, uint32_t interrupt);
