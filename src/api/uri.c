#include "api/uri.h"

#include <errno.h>
#include <jansson.h>

static int digit(char c) {
        if (c >= '0' && c <= '9')
                return c - '0';
        if (c >= 'a' && c <= 'f')
                return c - 'a' + 10;
        return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* jansson refuses what is no UTF-8. */
static int check_utf8(const char *text) {
        json_t *json = json_string(text);

        json_decref(json);
        return json ? 0 : -EINVAL;
}

int uri_decode(const char *text, size_t n, char *ret_text, size_t n_ret) {
        size_t n_text = 0;

        for (size_t i = 0; i < n; i++) {
                char c = text[i];

                if (n_text + 1 >= n_ret) {
                        ret_text[0] = '\0';
                        return -ENAMETOOLONG;
                }
                if (c == '%') {
                        int high = n - i > 2 ? digit(text[i + 1]) : -1, low = n - i > 2 ? digit(text[i + 2]) : -1;

                        if (high < 0 || low < 0)
                                return -EINVAL;
                        c = (char)(high << 4 | low);
                        i += 2;
                }
                if (!c)
                        return -EINVAL;
                ret_text[n_text++] = c;
        }
        ret_text[n_text] = '\0';
        return check_utf8(ret_text);
}
