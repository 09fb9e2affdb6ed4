#include "core/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/*
 * Length of the UTF-8 character at the start of `bytes`, 0 if there is none.  RFC 3629: no overlong forms, no
 * surrogates, nothing above U+10FFFF.
 */
static size_t utf8_length(const unsigned char *bytes, size_t n) {
        static const struct {
                unsigned char first_low, first_high, second_low, second_high;
                size_t length;
        } forms[] = {
                { 0xc2, 0xdf, 0x80, 0xbf, 2 }, { 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
                { 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 }, { 0xf0, 0xf0, 0x90, 0xbf, 4 },
                { 0xf1, 0xf3, 0x80, 0xbf, 4 }, { 0xf4, 0xf4, 0x80, 0x8f, 4 },
        };

        if (n && bytes[0] < 0x80)
                return 1;
        for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
                if (!n || bytes[0] < forms[i].first_low || bytes[0] > forms[i].first_high)
                        continue;
                if (n < forms[i].length || bytes[1] < forms[i].second_low || bytes[1] > forms[i].second_high)
                        return 0;
                for (size_t k = 2; k < forms[i].length; k++)
                        if (bytes[k] < 0x80 || bytes[k] > 0xbf)
                                return 0;
                return forms[i].length;
        }
        return 0;
}

static int is_control(const unsigned char *character, size_t length) {
        if (length == 1)
                return character[0] < 0x20 || character[0] == 0x7f;
        /* C1 controls, U+0080 to U+009F: terminals obey them too.  U+061C: the Arabic letter mark. */
        if (length == 2)
                return (character[0] == 0xc2 && character[1] < 0xa0) || (character[0] == 0xd8 && character[1] == 0x9c);
        /* What turns text around, or ends its line: U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069 (Unicode Standard Annex 9, Bidi_Control). */
        return length == 3 && character[0] == 0xe2 &&
               ((character[1] == 0x80 && (character[2] == 0x8e || character[2] == 0x8f || (character[2] >= 0xa8 && character[2] <= 0xae))) ||
                (character[1] == 0x81 && character[2] >= 0xa6 && character[2] <= 0xa9));
}

bool text_copy(char *ret_text, size_t n_ret, const char *text, size_t n_text) {
        size_t from = 0, to = 0;

        while (from < n_text && text[from]) {
                const unsigned char *character = (const unsigned char *)text + from;
                size_t length = utf8_length(character, n_text - from);

                if (!length || is_control(character, length)) {
                        if (to + 1 >= n_ret)
                                break;
                        ret_text[to++] = '?';
                        from += length ? length : 1;
                        continue;
                }
                if (to + length >= n_ret)
                        break;
                memcpy(ret_text + to, character, length);
                to += length;
                from += length;
        }
        ret_text[to] = '\0';
        return from >= n_text || !text[from];
}

bool text_set(char *ret_text, size_t n_ret, const char *text) {
        return text_copy(ret_text, n_ret, text ? text : "", text ? strlen(text) : 0);
}

void text_fit(char *ret_text, size_t n_ret, const char *text) {
        if (text_set(ret_text, n_ret, text))
                return;
        text_set(ret_text, n_ret - 3, text);
        strcat(ret_text, "...");
}

int text_field(const char *text, int columns) {
        for (; *text; text++)
                columns += ((unsigned char)*text & 0xc0) == 0x80;
        return columns;
}

void text_user(char *ret_text, size_t n_ret, const char *user, int64_t uid) {
        if (*user || uid < 0)
                text_set(ret_text, n_ret, user);
        else
                snprintf(ret_text, n_ret, "uid %" PRId64, uid);
}

static bool is_plain(const char *word, size_t n) {
        static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+=:,./-";

        for (size_t i = 0; i < n; i++)
                if (!word[i] || !strchr(plain, word[i]))
                        return false;
        return n;
}

void text_quote(const char *word, size_t n, void (*put)(void *userdata, const char *bytes, size_t n), void *userdata) {
        if (is_plain(word, n)) {
                put(userdata, word, n);
                return;
        }
        put(userdata, "'", 1);
        for (size_t i = 0; i < n;) {
                const char *quote = memchr(word + i, '\'', n - i);
                size_t n_plain = quote ? (size_t)(quote - word) - i : n - i;

                put(userdata, word + i, n_plain);
                i += n_plain;
                if (quote) {
                        put(userdata, "'\\''", 4);
                        i++;
                }
        }
        put(userdata, "'", 1);
}
