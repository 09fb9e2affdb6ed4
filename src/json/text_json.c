#include "json/text_json.h"

#include "core/text.h"

#include <errno.h>

enum {
        CLEAN_TEXT_MAX = 512, /* no text of evidence or verdict is longer */
};

json_t *text_to_json(const char *text) {
        char clean[CLEAN_TEXT_MAX];
        json_t *json;

        if (!*text)
                return json_null();
        json = json_string(text);
        if (json)
                return json;

        /* jansson refuses what is no UTF-8.  A verdict is told all the same, whatever a VM calls itself. */
        text_set(clean, sizeof(clean), text);
        return json_string(clean);
}

int text_from_json(const json_t *object, const char *key, char *ret_text, size_t n_ret) {
        const json_t *value = json_object_get(object, key);

        if (!value || json_is_null(value)) {
                *ret_text = '\0';
                return 0;
        }
        if (!json_is_string(value))
                return -EINVAL;
        text_copy(ret_text, n_ret, json_string_value(value), json_string_length(value));
        return 0;
}

json_t *tristate_to_json(enum tristate value) {
        return value == TRISTATE_NULL ? json_null() : json_boolean(value == TRISTATE_TRUE);
}

int tristate_from_json(const json_t *object, const char *key, enum tristate *ret_value) {
        const json_t *value = json_object_get(object, key);

        if (!value || json_is_null(value))
                *ret_value = TRISTATE_NULL;
        else if (json_is_boolean(value))
                *ret_value = json_is_true(value) ? TRISTATE_TRUE : TRISTATE_FALSE;
        else
                return -EINVAL;
        return 0;
}

int integer_from_json(const json_t *object, const char *key, int64_t minimum, int64_t maximum, int64_t otherwise,
                      int64_t *ret_value) {
        const json_t *value = json_object_get(object, key);
        int64_t number;

        if (!value || json_is_null(value)) {
                *ret_value = otherwise;
                return 0;
        }
        if (!json_is_integer(value))
                return -EINVAL;
        number = json_integer_value(value);
        if (number < minimum || number > maximum)
                return -EINVAL;
        *ret_value = number;
        return 0;
}

json_t *unsigned_to_json(uint64_t value) {
        return json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value);
}
