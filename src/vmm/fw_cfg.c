#include "vmm/fw_cfg.h"

#include <errno.h>
#include <string.h>

enum {
        KEY_SIGNATURE = 0x00,
        KEY_ID = 0x01,        /* bit 0: the interface with selector and data is there */
        KEY_DIRECTORY = 0x19, /* a count, then entries; big-endian */
        KEY_FILES = 0x20,     /* the first file's */
        N_ENTRY = 64,         /* size 4, selector 2, 2 reserved, name 56 */
};

int fw_cfg_add(struct fw_cfg *fw_cfg, const char *name, const char *text) {
        if (fw_cfg->n_files == FW_CFG_FILES_MAX)
                return -ENOSPC;
        if (strlen(name) >= FW_CFG_NAME_MAX)
                return -ENAMETOOLONG;
        fw_cfg->files[fw_cfg->n_files].name = name;
        fw_cfg->files[fw_cfg->n_files++].text = text;
        return 0;
}

void fw_cfg_select(struct fw_cfg *fw_cfg, uint16_t selector) {
        fw_cfg->selector = selector;
        fw_cfg->at = 0;
}

static uint8_t byte_of(uint64_t value, unsigned n_bytes, uint32_t at) {
        return (uint8_t)(value >> (n_bytes - 1 - at) * 8);
}

static uint8_t entry_byte(const struct fw_cfg *fw_cfg, size_t file, uint32_t at) {
        const char *name = fw_cfg->files[file].name;

        if (at < 4)
                return byte_of(strlen(fw_cfg->files[file].text), 4, at);
        if (at < 6)
                return byte_of(KEY_FILES + file, 2, at - 4);
        return at >= 8 && at - 8 < strlen(name) ? (uint8_t)name[at - 8] : 0;
}

static uint8_t directory_byte(const struct fw_cfg *fw_cfg, uint32_t at) {
        if (at < 4)
                return byte_of(fw_cfg->n_files, 4, at);
        return (at - 4) / N_ENTRY < fw_cfg->n_files ? entry_byte(fw_cfg, (at - 4) / N_ENTRY, (at - 4) % N_ENTRY) : 0;
}

uint8_t fw_cfg_read(struct fw_cfg *fw_cfg) {
        const uint32_t at = fw_cfg->at;
        const size_t file = (size_t)fw_cfg->selector - KEY_FILES;

        /* Nothing is that long, and the counter does not come round. */
        fw_cfg->at += at < UINT32_MAX;
        switch (fw_cfg->selector) {
        case KEY_SIGNATURE:
                return at < 4 ? (uint8_t)"QEMU"[at] : 0;
        case KEY_ID:
                return at == 0;
        case KEY_DIRECTORY:
                return directory_byte(fw_cfg, at);
        }
        return file < fw_cfg->n_files && at < strlen(fw_cfg->files[file].text) ? (uint8_t)fw_cfg->files[file].text[at] : 0;
}
