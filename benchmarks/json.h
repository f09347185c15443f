/* A strict validator of JSON (RFC 8259): numbers have no leading zeros, strings no raw control
   characters. UTF-8 is not checked. */
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

enum { JSON_DEEPEST = 64 };

struct json {
    const unsigned char *at, *end;
    int depth;
};

static bool json_value(struct json *j);

static void json_space(struct json *j) {
    while (j->at < j->end && (*j->at == ' ' || *j->at == '\t' || *j->at == '\n' || *j->at == '\r'))
        j->at++;
}

static bool json_take(struct json *j, unsigned char wanted) {
    if (j->at == j->end || *j->at != wanted) return false;
    j->at++;
    return true;
}

static bool json_word(struct json *j, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(j->end - j->at) < length || memcmp(j->at, word, length)) return false;
    j->at += length;
    return true;
}

static bool json_hex(unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool json_string(struct json *j) {
    if (!json_take(j, '"')) return false;
    while (j->at < j->end) {
        unsigned char c = *j->at++;
        if (c == '"') return true;
        if (c < 0x20) return false;
        if (c != '\\') continue;
        if (j->at == j->end) return false;
        c = *j->at++;
        if (c == 'u') {
            for (int digit = 0; digit < 4; digit++)
                if (j->at == j->end || !json_hex(*j->at++)) return false;
        } else if (!strchr("\"\\/bfnrt", c) || !c) {
            return false;
        }
    }
    return false;
}

static bool json_digits(struct json *j) {
    const unsigned char *first = j->at;
    while (j->at < j->end && *j->at >= '0' && *j->at <= '9') j->at++;
    return j->at > first;
}

static bool json_number(struct json *j) {
    json_take(j, '-');
    if (!json_take(j, '0') && !json_digits(j)) return false;
    if (json_take(j, '.') && !json_digits(j)) return false;
    if (json_take(j, 'e') || json_take(j, 'E')) {
        if (!json_take(j, '+')) json_take(j, '-');
        return json_digits(j);
    }
    return true;
}

/* The members of an object or the elements of an array, and the bracket that ends them. */
static bool json_members(struct json *j, bool named, unsigned char closing) {
    json_space(j);
    if (json_take(j, closing)) return true;
    do {
        if (named) {
            json_space(j);
            if (!json_string(j)) return false;
            json_space(j);
            if (!json_take(j, ':')) return false;
        }
        if (!json_value(j)) return false;
    } while (json_take(j, ','));
    return json_take(j, closing);
}

static bool json_value(struct json *j) {
    json_space(j);
    if (j->at == j->end || ++j->depth > JSON_DEEPEST) return false;
    bool good;
    switch (*j->at) {
    case '{': j->at++, good = json_members(j, true, '}'); break;
    case '[': j->at++, good = json_members(j, false, ']'); break;
    case '"': good = json_string(j); break;
    case 't': good = json_word(j, "true"); break;
    case 'f': good = json_word(j, "false"); break;
    case 'n': good = json_word(j, "null"); break;
    default: good = json_number(j);
    }
    j->depth--;
    json_space(j);
    return good;
}
