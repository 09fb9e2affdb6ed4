#include "sources/qemu/qmp_reader.h"
#include "qmp/qmp_message.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARSE_ERROR "JSON parse error, "
#define KEPT_MAX 4096 /* a buffer of no more than this waits for the next message */

void qmp_reader_deinit(struct qmp_reader *reader) {
        free(reader->text);
        *reader = (struct qmp_reader){ 0 };
}

static bool is_space(char byte) {
        return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static bool is_digit(char byte) {
        return byte >= '0' && byte <= '9';
}

static bool is_letter(char byte) {
        return byte >= 'a' && byte <= 'z';
}

static bool is_structure(char byte) {
        return byte && strchr("{}[]:,", byte);
}

/* What QEMU takes inside of a string; whether it is UTF-8 is asked later. */
static bool is_text(char byte) {
        return (unsigned char)byte >= 0x20 && (unsigned char)byte <= 0xfd;
}

/* --- QEMU's complaints about a whole message --------------------------------------------------------------------- */

struct walk {
        const char *at, *end;
        char *defect;
};

static bool complain(struct walk *walk, const char *words) {
        snprintf(walk->defect, QMP_DEFECT_MAX, PARSE_ERROR "%s", words);
        return false;
}

static bool complain_of_escape(struct walk *walk, const char *backslash) {
        int n = 2;

        while (n < 6 && backslash[n - 1] != '"')
                n++;

        snprintf(walk->defect, QMP_DEFECT_MAX, PARSE_ERROR "%.*s is not a valid Unicode character", n, backslash);
        return false;
}

/* Four hexadecimal digits, or -1. */
static int read_hex(const char *at, const char *end) {
        int value = 0;

        if (end - at < 4)
                return -1;
        for (int i = 0; i < 4; i++) {
                static const char digits[] = "0123456789abcdef0123456789ABCDEF";
                const char *digit = at[i] ? strchr(digits, at[i]) : NULL;

                if (!digit)
                        return -1;
                value = value * 16 + (int)(digit - digits) % 16;
        }
        return value;
}

static bool is_character(int c) {
        return c >= 0 && c <= 0x10ffff && (c & 0xfffe) != 0xfffe && !(c >= 0xfdd0 && c <= 0xfdef);
}

/* Behind "\u": one escape, or the two of a pair. */
static bool walk_unicode(struct walk *walk) {
        const char *backslash = walk->at - 2;
        int c = read_hex(walk->at, walk->end);

        if (c >= 0xd800 && c <= 0xdfff) {
                int low = c <= 0xdbff && walk->end - walk->at >= 10 && walk->at[4] == '\\' && walk->at[5] == 'u'
                                  ? read_hex(walk->at + 6, walk->end)
                                  : -1;

                if (low < 0xdc00 || low > 0xdfff)
                        return complain_of_escape(walk, backslash);
                c = 0x10000 + ((c & 0x3ff) << 10) + (low & 0x3ff);
                walk->at += 6;
        }
        if (!is_character(c))
                return complain_of_escape(walk, backslash);
        walk->at += 4;
        return true;
}

static bool walk_utf8(struct walk *walk) {
        unsigned char lead = (unsigned char)*walk->at;
        int n_more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
        int c = lead & (0x3f >> n_more);

        if (lead < 0xc0 || lead > 0xf7 || walk->end - walk->at <= n_more)
                return complain(walk, "invalid UTF-8 sequence in string");
        for (int i = 1; i <= n_more; i++) {
                if (((unsigned char)walk->at[i] & 0xc0) != 0x80)
                        return complain(walk, "invalid UTF-8 sequence in string");
                c = c << 6 | ((unsigned char)walk->at[i] & 0x3f);
        }
        if (c < (n_more == 3 ? 0x10000 : n_more == 2 ? 0x800 : 0x80) || (c >= 0xd800 && c <= 0xdfff) || !is_character(c))
                return complain(walk, "invalid UTF-8 sequence in string");
        walk->at += n_more + 1;
        return true;
}

static bool walk_string(struct walk *walk) {
        for (walk->at++; *walk->at != '"';) {
                if (*walk->at == '\\') {
                        walk->at += 2;
                        if (!strchr("\"\\/bfnrtu", walk->at[-1]))
                                return complain(walk, "invalid escape sequence in string");
                        if (walk->at[-1] == 'u' && !walk_unicode(walk))
                                return false;
                } else if ((unsigned char)*walk->at >= 0x80) {
                        if (!walk_utf8(walk))
                                return false;
                } else {
                        walk->at++;
                }
        }
        walk->at++;
        return true;
}

static bool walk_keyword(struct walk *walk) {
        const char *from = walk->at;
        size_t n;

        while (walk->at < walk->end && is_letter(*walk->at))
                walk->at++;
        n = (size_t)(walk->at - from);
        if ((n == 4 && (!memcmp(from, "true", 4) || !memcmp(from, "null", 4))) || (n == 5 && !memcmp(from, "false", 5)))
                return true;
        snprintf(walk->defect, QMP_DEFECT_MAX, PARSE_ERROR "invalid keyword '%.*s'", (int)(n < 200 ? n : 200), from);
        return false;
}

/* What the next token begins with; 0 at the end. */
static char peek(struct walk *walk) {
        while (walk->at < walk->end && *walk->at == ' ')
                walk->at++;
        return walk->at < walk->end ? *walk->at : 0;
}

/* Anything but an object or a list. */
static bool walk_scalar(struct walk *walk) {
        char first = peek(walk);

        if (first == '"')
                return walk_string(walk);
        if (is_letter(first))
                return walk_keyword(walk);
        if (first != '-' && !is_digit(first))
                return complain(walk, "expecting value");
        /* The lexer has seen to its form, and to where it ends: behind a sign, only a digit goes on. */
        for (walk->at++; walk->at < walk->end && (is_digit(*walk->at) || *walk->at == '.' || *walk->at == 'e' || *walk->at == 'E'); walk->at++)
                if ((*walk->at == 'e' || *walk->at == 'E') && walk->at + 1 < walk->end && (walk->at[1] == '+' || walk->at[1] == '-'))
                        walk->at++;
        return true;
}

/* In an object, up to its next value. */
static bool walk_key(struct walk *walk) {
        char first = peek(walk);

        /* QEMU reads the key as it reads any value, and asks what it is then. */
        if (first == '{' || first == '[')
                return complain(walk, "key is not a string in object");
        if (!walk_scalar(walk))
                return false;
        if (first != '"')
                return complain(walk, "key is not a string in object");
        if (peek(walk) != ':')
                return complain(walk, "missing : in object pair");
        walk->at++;
        return true;
}

const char *qmp_reader_complaint(const char *text, size_t n_text, char ret_defect[static QMP_DEFECT_MAX]) {
        struct walk walk = { text, text + n_text, ret_defect };
        char open[QMP_DEPTH_MAX + 2];
        size_t depth = 0;

        do {
                char first = peek(&walk);

                if (first == '{' || first == '[') {
                        walk.at++;
                        open[depth++] = first == '{' ? '}' : ']';
                        if (peek(&walk) != open[depth - 1]) {
                                if (first == '{' && !walk_key(&walk))
                                        return ret_defect;
                                continue;
                        }
                } else if (!walk_scalar(&walk)) {
                        return ret_defect;
                }
                /* Behind a value: what it was in may end with it. */
                while (depth && peek(&walk) == open[depth - 1]) {
                        walk.at++;
                        depth--;
                }
                if (!depth)
                        break;
                if (peek(&walk) != ',') {
                        complain(&walk, open[depth - 1] == '}' ? "expected separator in dict" : "expected separator in list");
                        return ret_defect;
                }
                walk.at++;
                if (open[depth - 1] == '}' && !walk_key(&walk))
                        return ret_defect;
        } while (depth);
        return NULL;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

static int append(struct qmp_reader *reader, char byte) {
        if (reader->n_text == reader->capacity) {
                size_t wanted = reader->capacity ? reader->capacity * 2 : 256;
                char *larger;

                if (reader->n_text >= QMP_LINE_MAX)
                        return QMP_LINE_TOO_LONG;
                larger = realloc(reader->text, wanted);
                if (!larger)
                        return -ENOMEM;
                reader->text = larger;
                reader->capacity = wanted;
        }
        reader->text[reader->n_text++] = byte;
        return 0;
}

/* Begin anew. */
static void forget(struct qmp_reader *reader) {
        reader->n_text = 0;
        reader->braces = reader->brackets = 0;
        reader->token = QMP_TOKEN_NONE;
        if (reader->capacity > KEPT_MAX) {
                free(reader->text);
                reader->text = NULL;
                reader->capacity = 0;
        }
}

/* The bytes since the token's start, and this one behind them, are none of JSON's. */
static int stray(struct qmp_reader *reader, char byte) {
        size_t n = reader->token ? reader->n_text - reader->token_start : 0;
        char *out = reader->defect + snprintf(reader->defect, QMP_DEFECT_MAX, PARSE_ERROR "stray '");
        char *end = reader->defect + QMP_DEFECT_MAX - 8;

        for (size_t i = 0; i < n && out < end; i++)
                *out++ = i == 0 && reader->quote ? reader->quote : reader->text[reader->token_start + i];
        if (reader->token == QMP_TOKEN_ESCAPE && out < end)
                *out++ = '\\';
        /* QEMU ends it at a NUL, as it would any text of C. */
        if (byte && out < end)
                *out++ = byte;
        strcpy(out, "'");
        forget(reader);
        reader->token = QMP_TOKEN_RECOVERY;
        return QMP_READER_DEFECT;
}

/* A token is whole.  QMP_NEEDS_MORE: the message is not. */
static int take_token(struct qmp_reader *reader) {
        const char *defect;

        reader->token = QMP_TOKEN_NONE;
        reader->quote = 0;
        if (reader->braces + reader->brackets > QMP_DEPTH_MAX) {
                strcpy(reader->defect, "JSON nesting depth limit exceeded");
                forget(reader);
                return QMP_READER_DEFECT;
        }
        if ((reader->braces > 0 || reader->brackets > 0) && reader->braces >= 0 && reader->brackets >= 0)
                return QMP_NEEDS_MORE;
        reader->is_given = true;
        defect = qmp_reader_complaint(reader->text, reader->n_text, reader->defect);
        return defect ? QMP_READER_DEFECT : 0;
}

static int begin(struct qmp_reader *reader, enum qmp_token token, char byte) {
        reader->token = token;
        reader->token_start = reader->n_text;
        reader->quote = 0;
        return append(reader, byte);
}

/* Where a token may begin.  As for read_byte(). */
static int read_first(struct qmp_reader *reader, char byte) {
        int r;

        if (is_space(byte)) {
                if (!reader->n_text || reader->text[reader->n_text - 1] == ' ')
                        return QMP_NEEDS_MORE;
                r = append(reader, ' ');
                return r ? r : QMP_NEEDS_MORE;
        }
        if (byte == '"' || byte == '\'') {
                r = begin(reader, QMP_TOKEN_STRING, '"');
                reader->quote = byte;
        } else if (byte == '-') {
                r = begin(reader, QMP_TOKEN_MINUS, byte);
        } else if (is_digit(byte)) {
                r = begin(reader, byte == '0' ? QMP_TOKEN_ZERO : QMP_TOKEN_DIGITS, byte);
        } else if (is_letter(byte)) {
                r = begin(reader, QMP_TOKEN_KEYWORD, byte);
        } else if (is_structure(byte)) {
                reader->braces += (byte == '{') - (byte == '}');
                reader->brackets += (byte == '[') - (byte == ']');
                r = append(reader, byte);
                return r ? r : take_token(reader);
        } else {
                return stray(reader, byte);
        }
        return r ? r : QMP_NEEDS_MORE;
}

static int read_string(struct qmp_reader *reader, char byte) {
        int r = 0;

        if (!is_text(byte))
                return stray(reader, byte);
        if (reader->token == QMP_TOKEN_ESCAPE) {
                reader->token = QMP_TOKEN_STRING;
                /* \' is QEMU's, and ' needs none. */
                if (byte != '\'')
                        r = append(reader, '\\');
                if (!r)
                        r = append(reader, byte);
        } else if (byte == '\\') {
                reader->token = QMP_TOKEN_ESCAPE;
        } else if (byte == reader->quote) {
                r = append(reader, '"');
                return r ? r : take_token(reader);
        } else {
                if (byte == '"')
                        r = append(reader, '\\');
                if (!r)
                        r = append(reader, byte);
        }
        return r ? r : QMP_NEEDS_MORE;
}

/* The token that this one becomes with the byte; QMP_TOKEN_NONE: the byte is not its own. */
static enum qmp_token grow(enum qmp_token token, char byte) {
        bool is_e = byte == 'e' || byte == 'E', is_sign = byte == '+' || byte == '-';

        switch (token) {
        case QMP_TOKEN_KEYWORD:
                return is_letter(byte) ? token : QMP_TOKEN_NONE;
        case QMP_TOKEN_MINUS:
                return byte == '0' ? QMP_TOKEN_ZERO : is_digit(byte) ? QMP_TOKEN_DIGITS : QMP_TOKEN_NONE;
        case QMP_TOKEN_ZERO:
                return byte == '.' ? QMP_TOKEN_POINT : is_e ? QMP_TOKEN_E : QMP_TOKEN_NONE;
        case QMP_TOKEN_DIGITS:
                return is_digit(byte) ? token : byte == '.' ? QMP_TOKEN_POINT : is_e ? QMP_TOKEN_E : QMP_TOKEN_NONE;
        case QMP_TOKEN_POINT:
                return is_digit(byte) ? QMP_TOKEN_FRACTION : QMP_TOKEN_NONE;
        case QMP_TOKEN_FRACTION:
                return is_digit(byte) ? token : is_e ? QMP_TOKEN_E : QMP_TOKEN_NONE;
        case QMP_TOKEN_E:
                return is_sign ? QMP_TOKEN_E_SIGN : is_digit(byte) ? QMP_TOKEN_EXPONENT : QMP_TOKEN_NONE;
        case QMP_TOKEN_E_SIGN:
        case QMP_TOKEN_EXPONENT:
                return is_digit(byte) ? QMP_TOKEN_EXPONENT : QMP_TOKEN_NONE;
        case QMP_TOKEN_NONE:
        case QMP_TOKEN_STRING:
        case QMP_TOKEN_ESCAPE:
        case QMP_TOKEN_RECOVERY:
                break;
        }
        return QMP_TOKEN_NONE;
}

/* May the token end here? */
static bool is_whole(enum qmp_token token, char byte) {
        return token == QMP_TOKEN_KEYWORD || token == QMP_TOKEN_DIGITS || token == QMP_TOKEN_FRACTION || token == QMP_TOKEN_EXPONENT ||
               (token == QMP_TOKEN_ZERO && !is_digit(byte));
}

/* 0, QMP_READER_DEFECT, an error, or QMP_NEEDS_MORE: no message ends here.  *ret_again: the byte is the next token's. */
static int read_byte(struct qmp_reader *reader, char byte, bool *ret_again) {
        enum qmp_token token = reader->token;
        int r;

        *ret_again = false;
        if (token == QMP_TOKEN_RECOVERY) {
                if (byte == '\t' || (is_text(byte) && !is_structure(byte)))
                        return QMP_NEEDS_MORE;
                reader->token = token = QMP_TOKEN_NONE;
        }
        if (token == QMP_TOKEN_NONE)
                return read_first(reader, byte);
        if (token == QMP_TOKEN_STRING || token == QMP_TOKEN_ESCAPE)
                return read_string(reader, byte);

        token = grow(token, byte);
        if (token) {
                reader->token = token;
                r = append(reader, byte);
                return r ? r : QMP_NEEDS_MORE;
        }
        if (!is_whole(reader->token, byte))
                return stray(reader, byte);
        *ret_again = true;
        return take_token(reader);
}

int qmp_reader_next(struct qmp_reader *reader, const char *bytes, size_t n_bytes, size_t *ret_n_read) {
        size_t i = 0;
        int r = QMP_NEEDS_MORE;

        if (reader->is_given) {
                reader->is_given = false;
                forget(reader);
        }
        while (i < n_bytes && r == QMP_NEEDS_MORE) {
                bool again;

                r = read_byte(reader, bytes[i], &again);
                i += !again;
        }
        *ret_n_read = i;
        return r;
}
