#include "keeper/socket_name.h"
#include "basics/table.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
static const char suffix[] = ".sock";

/* How many bytes of the name fit n_room when escaped; what they become is written as far as that. */
static size_t escape(char *ret_text, size_t n_room, const char *name, size_t *ret_n_text) {
        size_t n = 0, i;

        for (i = 0; name[i]; i++) {
                char one[4];
                int n_one;

                if (strchr(plain, name[i]) && !(i == 0 && name[i] == '.'))
                        n_one = snprintf(one, sizeof(one), "%c", name[i]);
                else
                        n_one = snprintf(one, sizeof(one), "%%%02X", (unsigned char)name[i]);
                if (n + (size_t)n_one > n_room)
                        break;
                memcpy(ret_text + n, one, (size_t)n_one);
                n += (size_t)n_one;
        }
        *ret_n_text = n;
        return i;
}

void socket_name_of_vm(char *ret_name, size_t n_ret, const char *name) {
        size_t n_name = strlen(name), n_text;
        char hash[20];

        assert(n_ret >= 32);
        if (escape(ret_name, n_ret - sizeof(suffix), name, &n_text) == n_name) {
                strcpy(ret_name + n_text, suffix);
                return;
        }
        snprintf(hash, sizeof(hash), "-%016" PRIx64, table_hash(name, n_name));
        escape(ret_name, n_ret - sizeof(suffix) - strlen(hash), name, &n_text);
        snprintf(ret_name + n_text, n_ret - n_text, "%s%s", hash, suffix);
}
