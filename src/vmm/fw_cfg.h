/*
 * fw_cfg: what firmware is told by whoever starts it, as on QEMU (docs/specs/fw_cfg.rst there): a selector, and the bytes of what it selects.
 *
 * Knows the signature, the directory and files of text.  Pure.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum {
        FW_CFG_FILES_MAX = 16,
        FW_CFG_NAME_MAX = 56,
        FW_CFG_SELECTOR_PORT = 0x510,
        FW_CFG_DATA_PORT = 0x511,
};

struct fw_cfg {
        struct {
                const char *name; /* borrowed */
                const char *text; /* borrowed */
        } files[FW_CFG_FILES_MAX];
        size_t n_files;
        uint16_t selector;
        uint32_t at;
};

/* 0; -ENOSPC: there are too many; -ENAMETOOLONG. */
int fw_cfg_add(struct fw_cfg *fw_cfg, const char *name, const char *text);
void fw_cfg_select(struct fw_cfg *fw_cfg, uint16_t selector);
/* The next byte of it; 0 beyond its end. */
uint8_t fw_cfg_read(struct fw_cfg *fw_cfg);
