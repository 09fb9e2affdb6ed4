#include "sources/trace/tracepoint.h"

#include <errno.h>
#include <string.h>

/* A record is a page at most; what claims to be beyond is no record of the kernel's. */
#define RECORD_MAX 65536

struct text {
        const char *at, *end;
};

static bool next_line(struct text *text, struct text *ret_line) {
        const char *newline;

        if (text->at >= text->end)
                return false;
        newline = memchr(text->at, '\n', (size_t)(text->end - text->at));
        *ret_line = (struct text){ text->at, newline ? newline : text->end };
        text->at = newline ? newline + 1 : text->end;
        return true;
}

static void skip_blanks(struct text *text) {
        while (text->at < text->end && (*text->at == ' ' || *text->at == '\t'))
                text->at++;
}

/* Blanks, then this word. */
static bool take_word(struct text *text, const char *word) {
        size_t n = strlen(word);

        skip_blanks(text);
        if ((size_t)(text->end - text->at) < n || memcmp(text->at, word, n))
                return false;
        text->at += n;
        return true;
}

static bool take_number(struct text *text, uint32_t *ret_number) {
        const char *begin;
        uint32_t number = 0;

        skip_blanks(text);
        for (begin = text->at; text->at < text->end && *text->at >= '0' && *text->at <= '9'; text->at++) {
                number = number * 10 + (uint32_t)(*text->at - '0');
                if (number > RECORD_MAX)
                        return false;
        }
        *ret_number = number;
        return text->at > begin;
}

/* "unsigned int port": its name is the last word.  What ends in "]" is an array, and its name no number's. */
static bool is_declared(const struct text *declaration, const char *name) {
        size_t n = strlen(name);
        const char *from = declaration->end - n;

        return (size_t)(declaration->end - declaration->at) > n && !memcmp(from, name, n) && (from[-1] == ' ' || from[-1] == '\t' || from[-1] == '*');
}

/* "\tfield:unsigned int port;\toffset:12;\tsize:4;\tsigned:0;" */
static bool take_declaration(struct text *line, struct text *ret_declaration) {
        const char *semicolon;

        if (!take_word(line, "field:"))
                return false;
        semicolon = memchr(line->at, ';', (size_t)(line->end - line->at));
        if (!semicolon)
                return false;
        *ret_declaration = (struct text){ line->at, semicolon };
        line->at = semicolon + 1;
        return true;
}

static bool take_place(struct text *line, struct tracepoint_field *ret_field) {
        uint32_t is_signed;

        if (!take_word(line, "offset:") || !take_number(line, &ret_field->offset) || !take_word(line, ";") || !take_word(line, "size:") ||
            !take_number(line, &ret_field->size) || !take_word(line, ";") || !take_word(line, "signed:") || !take_number(line, &is_signed) ||
            !take_word(line, ";"))
                return false;
        ret_field->is_signed = is_signed;
        return ret_field->size == 1 || ret_field->size == 2 || ret_field->size == 4 || ret_field->size == 8;
}

/* Whose place it is: of the type, or of a name; NULL: nobody asked for it. */
static struct tracepoint_field *find_field(struct tracepoint_format *format, const char *const *names, const struct text *declaration) {
        if (is_declared(declaration, "common_type"))
                return &format->type;
        for (size_t i = 0; i < TRACEPOINT_FIELDS && names[i]; i++)
                if (is_declared(declaration, names[i]))
                        return &format->fields[i];
        return NULL;
}

int tracepoint_format_parse(struct tracepoint_format *ret_format, const char *const names[static TRACEPOINT_FIELDS], const char *text, size_t n_text) {
        struct tracepoint_format format = { 0 };
        struct text rest = { text, text + n_text }, line, declaration;
        bool has_id = false;

        while (next_line(&rest, &line)) {
                struct text id = line;
                struct tracepoint_field *field;

                if (!has_id && take_word(&id, "ID:")) {
                        if (!take_number(&id, &format.id))
                                return -EBADMSG;
                        has_id = true;
                }
                if (!take_declaration(&line, &declaration))
                        continue;
                field = find_field(&format, names, &declaration);
                /* Nobody is called twice; were he, the first counts. */
                if (field && !field->size && !take_place(&line, field))
                        return -EBADMSG;
        }
        if (!has_id || !format.type.size)
                return -EBADMSG;
        for (size_t i = 0; i < TRACEPOINT_FIELDS && names[i]; i++)
                if (!format.fields[i].size)
                        return -ENOENT;
        *ret_format = format;
        return 0;
}

bool tracepoint_field_read(const struct tracepoint_field *field, const void *record, size_t n_record, int64_t *ret_number) {
        const unsigned char *from = (const unsigned char *)record + field->offset;
        uint8_t byte;
        uint16_t half;
        uint32_t word;
        uint64_t number;

        if (field->offset > n_record || n_record - field->offset < field->size)
                return false;
        switch (field->size) {
        case 1:
                memcpy(&byte, from, 1);
                *ret_number = field->is_signed ? (int8_t)byte : (int64_t)byte;
                return true;
        case 2:
                memcpy(&half, from, 2);
                *ret_number = field->is_signed ? (int16_t)half : (int64_t)half;
                return true;
        case 4:
                memcpy(&word, from, 4);
                *ret_number = field->is_signed ? (int32_t)word : (int64_t)word;
                return true;
        case 8:
                memcpy(&number, from, 8);
                *ret_number = (int64_t)number;
                return true;
        }
        return false;
}
