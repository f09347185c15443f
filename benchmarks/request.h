/* Read the changes of a BatchWriteItem: a digest and the size of each item.

   The digest does not depend on the order of the attributes or of the elements of a list: the cases
   do not sort them. The size follows CapacityUnitCalculations.html in the DynamoDB Developer
   Guide. */
#include "json.h"
#include <stdint.h>
#include <stdlib.h>

enum { BATCH_CHANGES = 25, CONTAINER_BYTES = 3, ELEMENT_BYTES = 1 };

/* An item or a part of one; `size` is 0 if there is none. */
struct value {
    uint64_t digest;
    uint32_t size;
};

struct change {
    uint64_t key;
    struct value item; /* of size 0: delete */
};

static uint64_t mix(uint64_t a, uint64_t b) { /* the finaliser of SplitMix64 */
    uint64_t x = a * 0x9E3779B97F4A7C15u + b;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

static const struct value EMPTY_TEXT = {0xCBF29CE484222325u, 0};

static void add_byte(struct value *text, unsigned byte) { /* FNV-1a */
    text->digest = (text->digest ^ byte) * 0x100000001B3u;
    text->size++;
}

static void add_character(struct value *text, unsigned long c) {
    if (c < 0x80) {
        add_byte(text, c);
        return;
    }
    int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    add_byte(text, (0xFFu << (7 - more) & 0xFF) | c >> 6 * more);
    while (more--) add_byte(text, 0x80 | (c >> 6 * more & 0x3F));
}

static unsigned long hex4(const unsigned char *digits) {
    char text[5] = {digits[0], digits[1], digits[2], digits[3], 0};
    return strtoul(text, NULL, 16);
}

/* A string: its bytes in UTF-8, and a digest of them, so that "\u0041" equals "A". */
static bool read_text(struct json *j, struct value *text) {
    json_space(j);
    const unsigned char *at = j->at + 1, *end;
    if (!json_string(j)) return false;
    end = j->at - 1;
    *text = EMPTY_TEXT;
    while (at < end) {
        if (*at != '\\') {
            add_byte(text, *at++);
        } else if (at[1] != 'u') {
            static const char names[] = "bfnrt", values[] = "\b\f\n\r\t";
            const char *name = strchr(names, at[1]);
            add_byte(text, name ? (unsigned char)values[name - names] : at[1]);
            at += 2;
        } else {
            unsigned long c = hex4(at + 2);
            at += 6;
            if (c >= 0xD800 && c < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
                c = 0x10000 + ((c - 0xD800) << 10) + (hex4(at + 2) - 0xDC00);
                at += 6;
            }
            add_character(text, c);
        }
    }
    return true;
}

static bool is_text(const struct value *text, const char *expected) {
    struct value other = EMPTY_TEXT;
    while (*expected) add_byte(&other, (unsigned char)*expected++);
    return text->digest == other.digest && text->size == other.size;
}

/* The next member of an object: false at its end, or if the text is malformed (`j->at` is NULL). */
static bool next_member(struct json *j, struct value *name, bool first) {
    json_space(j);
    if (json_take(j, '}')) return false;
    if ((first || json_take(j, ',')) && read_text(j, name)) {
        json_space(j);
        if (json_take(j, ':')) {
            json_space(j);
            return true;
        }
    }
    j->at = NULL;
    return false;
}

static bool read_name(struct json *j, const char *name) {
    json_space(j);
    if (!json_word(j, name)) return false;
    json_space(j);
    if (!json_take(j, ':')) return false;
    json_space(j);
    return true;
}

static bool read_value(struct json *j, struct value *v);

/* The attributes of an item or a map; `each` bytes are added for each. */
static bool read_attributes(struct json *j, struct value *all, int each, uint64_t *key) {
    struct value name, v;
    if (!json_take(j, '{')) return false;
    for (bool first = true; next_member(j, &name, first); first = false) {
        if (!read_value(j, &v)) return false;
        if (key && is_text(&name, "user_id")) *key = v.digest;
        all->digest += mix(name.digest, v.digest);
        all->size += name.size + v.size + each;
    }
    return j->at != NULL;
}

static bool read_list(struct json *j, struct value *list) {
    struct value v;
    if (!json_take(j, '[')) return false;
    json_space(j);
    if (json_take(j, ']')) return true;
    do {
        json_space(j);
        if (!read_value(j, &v)) return false;
        list->digest += mix('L', v.digest);
        list->size += v.size + ELEMENT_BYTES;
        json_space(j);
    } while (json_take(j, ','));
    return json_take(j, ']');
}

/* {"S": …}, {"L": …} or {"M": …}: no case writes another type. */
static bool read_value(struct json *j, struct value *v) {
    *v = (struct value){0, 0};
    if (!json_take(j, '{') || ++j->depth > JSON_DEEPEST) return false;
    bool good = false;
    if (read_name(j, "\"S\"")) {
        good = read_text(j, v);
    } else if (read_name(j, "\"L\"")) {
        v->size = CONTAINER_BYTES;
        good = read_list(j, v);
    } else if (read_name(j, "\"M\"")) {
        v->size = CONTAINER_BYTES;
        good = read_attributes(j, v, ELEMENT_BYTES, NULL);
    }
    j->depth--;
    json_space(j);
    return good && json_take(j, '}');
}

/* One put or delete, with the key attribute. */
static bool read_change(struct json *j, struct change *c) {
    bool put;
    json_space(j);
    if (!json_take(j, '{')) return false;
    if (read_name(j, "\"PutRequest\"")) put = true;
    else if (read_name(j, "\"DeleteRequest\"")) put = false;
    else return false;
    *c = (struct change){0, {0, 0}};
    if (!json_take(j, '{') || !read_name(j, put ? "\"Item\"" : "\"Key\"")) return false;
    if (!read_attributes(j, &c->item, 0, &c->key) || !c->key) return false;
    if (!put) c->item.size = 0;
    json_space(j);
    if (!json_take(j, '}')) return false;
    json_space(j);
    return json_take(j, '}');
}

static bool is_repeated(const struct change *changes, int count) {
    for (int i = 0; i < count; i++)
        if (changes[i].key == changes[count].key) return true;
    return false;
}

/* The changes of one table's requests; DynamoDB refuses more than 25, and a key twice. */
static bool read_changes(struct json *j, struct change *changes, int *count) {
    json_space(j);
    if (!json_take(j, '[')) return false;
    do {
        if (*count == BATCH_CHANGES || !read_change(j, &changes[*count])) return false;
        if (is_repeated(changes, *count)) return false;
        ++*count;
        json_space(j);
    } while (json_take(j, ','));
    return json_take(j, ']');
}

/* The changes of a BatchWriteItem; -1 if the body is not one. Other members are only validated. */
static int read_batch(const char *text, size_t length, struct change *changes) {
    struct json j = {(const unsigned char *)text, (const unsigned char *)text + length, 0};
    struct value name;
    int count = 0;
    json_space(&j);
    if (!json_take(&j, '{')) return -1;
    for (bool first = true; next_member(&j, &name, first); first = false) {
        if (!is_text(&name, "RequestItems")) {
            if (!json_value(&j)) return -1;
            continue;
        }
        if (!json_take(&j, '{')) return -1;
        struct value table;
        for (bool one = true; next_member(&j, &table, one); one = false)
            if (!read_changes(&j, changes, &count)) return -1;
        if (!j.at) return -1;
    }
    if (!j.at) return -1;
    json_space(&j);
    return j.at == j.end && count ? count : -1;
}
