/* A DynamoDB that keeps only a digest of each item: it acknowledges and counts every
   BatchWriteItem, and is no bottleneck.

       cc -O2 -o sink sink.c && ./sink        prints the port it listens on

   POST /        BatchWriteItem, answered after the delay, with 400 if it is malformed;
                 DescribeTable of a table with the partition key user_id (S)
   GET  /stats   the counts, and the number of items and the digest of the table, as JSON
   POST /reset?delay=MICROSECONDS   reset the counts
   POST /clear   delete all items
   POST /save    keep a copy of the table, which POST /restore brings back

   It has one thread: delayed answers are in a queue, so many requests can wait at the same time. */
#define _GNU_SOURCE
#include "table.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, CONNECTIONS = 65536, HEAD_BYTES = 16384 };

struct connection {
    int fd;
    unsigned long serial; /* distinguishes connections that had the same descriptor */
    size_t used, room;
    char *bytes;
};

struct due {
    int64_t at;
    int fd;
    unsigned long serial;
    unsigned long units;
    bool consumed, malformed;
};

static struct {
    unsigned long requests, puts, deletes, units, bytes, malformed, other;
} count;
static struct table table, saved;
static struct connection *connections[CONNECTIONS];
static struct due queue[CONNECTIONS]; /* all delays are equal: first in, first out */
static unsigned long queue_first, queue_last, serials;
static int64_t delay_ns;
static int events, timer;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static uint32_t crc32_of(const char *text, size_t length) {
    uint32_t crc = ~0u;
    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned char)text[i];
        for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? crc >> 1 ^ 0xEDB88320u : crc >> 1;
    }
    return ~crc;
}

static void hang_up(struct connection *c) {
    connections[c->fd] = NULL;
    close(c->fd);
    free(c->bytes);
    free(c);
}

static void answer(int fd, int status, const char *body) {
    char text[2048];
    size_t length = strlen(body);
    int n = snprintf(text, sizeof text,
                     "HTTP/1.1 %d %s\r\nContent-Type: application/x-amz-json-1.0\r\n"
                     "Content-Length: %zu\r\nx-amzn-RequestId: SINK\r\nx-amz-crc32: %u\r\n\r\n%s",
                     status, status == 200 ? "OK" : "Bad Request", length,
                     crc32_of(body, length), body);
    /* A response is far smaller than a socket's buffer, so a partial send is not handled. */
    if (send(fd, text, n, MSG_NOSIGNAL) != n) shutdown(fd, SHUT_RDWR);
}

static void acknowledge(const struct due *d) {
    char body[256];
    if (d->malformed) {
        answer(d->fd, 400, "{\"__type\":\"com.amazon.coral.service#SerializationException\","
                           "\"message\":\"the body must be a BatchWriteItem\"}");
        return;
    }
    if (d->consumed)
        snprintf(body, sizeof body,
                 "{\"ConsumedCapacity\":[{\"TableName\":\"bench\",\"CapacityUnits\":%lu.0,"
                 "\"Table\":{\"CapacityUnits\":%lu.0}}],\"UnprocessedItems\":{}}",
                 d->units, d->units);
    else
        snprintf(body, sizeof body, "{\"UnprocessedItems\":{}}");
    answer(d->fd, 200, body);
}

static void set_timer(void) {
    struct itimerspec at = {0};
    if (queue_first != queue_last) {
        int64_t due = queue[queue_first % CONNECTIONS].at;
        at.it_value.tv_sec = due / 1000000000, at.it_value.tv_nsec = due % 1000000000;
    }
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void acknowledge_due(void) {
    int64_t now = now_ns();
    while (queue_first != queue_last && queue[queue_first % CONNECTIONS].at <= now) {
        struct due *d = &queue[queue_first++ % CONNECTIONS];
        struct connection *c = connections[d->fd];
        if (c && c->serial == d->serial) acknowledge(d);
    }
    set_timer();
}

static void batch_write(struct connection *c, const char *body, size_t length) {
    struct change changes[BATCH_CHANGES];
    struct due d = {now_ns() + delay_ns, c->fd, c->serial, 0, false, false};
    int n = read_batch(body, length, changes);
    for (int i = 0; i < n; i++) {
        d.units += write_change(&table, &changes[i]);
        if (changes[i].item.size) count.puts++;
        else count.deletes++;
    }
    d.consumed = memmem(body, length, "\"ReturnConsumedCapacity\"", 24) != NULL;
    d.malformed = n < 0;
    count.requests++, count.bytes += length, count.units += d.units, count.malformed += d.malformed;
    if (!delay_ns) {
        acknowledge(&d);
        return;
    }
    bool idle = queue_first == queue_last;
    queue[queue_last++ % CONNECTIONS] = d;
    if (idle) set_timer();
}

static void describe_table(struct connection *c, const char *body, size_t length) {
    char name[256] = "bench", text[1024];
    const char *at = memmem(body, length, "\"TableName\"", 11), *end = body + length;
    const char *first = at ? memchr(at + 11, '"', end - at - 11) : NULL;
    const char *last = first ? memchr(first + 1, '"', end - first - 1) : NULL;
    if (last && last - first < 200) snprintf(name, sizeof name, "%.*s", (int)(last - first - 1), first + 1);
    snprintf(text, sizeof text,
             "{\"Table\":{\"TableName\":\"%s\",\"TableStatus\":\"ACTIVE\",\"ItemCount\":%zu,"
             "\"TableSizeBytes\":0,\"CreationDateTime\":1700000000.0,"
             "\"TableArn\":\"arn:aws:dynamodb:us-east-1:000000000000:table/%s\","
             "\"KeySchema\":[{\"AttributeName\":\"user_id\",\"KeyType\":\"HASH\"}],"
             "\"AttributeDefinitions\":[{\"AttributeName\":\"user_id\",\"AttributeType\":\"S\"}],"
             "\"ProvisionedThroughput\":{\"ReadCapacityUnits\":0,\"WriteCapacityUnits\":0,"
             "\"NumberOfDecreasesToday\":0},"
             "\"BillingModeSummary\":{\"BillingMode\":\"PAY_PER_REQUEST\"}}}", name, table.items, name);
    answer(c->fd, 200, text);
}

static long number_after(const char *text, const char *end, const char *name, long otherwise) {
    const char *at = memmem(text, end - text, name, strlen(name));
    return at ? atol(at + strlen(name)) : otherwise;
}

static void serve(struct connection *c, const char *head, const char *body, size_t length) {
    char text[512];
    if (!memcmp(head, "GET /stats", 10)) {
        snprintf(text, sizeof text,
                 "{\"requests\":%lu,\"puts\":%lu,\"deletes\":%lu,\"units\":%lu,\"bytes\":%lu,"
                 "\"malformed\":%lu,\"other\":%lu,\"items\":%zu,\"digest\":\"%016lx\"}",
                 count.requests, count.puts, count.deletes, count.units, count.bytes,
                 count.malformed, count.other, table.items, (unsigned long)table.digest);
        answer(c->fd, 200, text);
    } else if (!memcmp(head, "POST /reset", 11)) {
        delay_ns = number_after(head, body, "delay=", 0) * 1000;
        memset(&count, 0, sizeof count);
        answer(c->fd, 200, "{}");
    } else if (!memcmp(head, "POST /clear", 11)) {
        clear(&table);
        answer(c->fd, 200, "{}");
    } else if (!memcmp(head, "POST /save", 10)) {
        copy(&saved, &table);
        answer(c->fd, 200, "{}");
    } else if (!memcmp(head, "POST /restore", 13)) {
        copy(&table, &saved);
        answer(c->fd, 200, "{}");
    } else if (memmem(head, body - head, ".BatchWriteItem", 15)) {
        batch_write(c, body, length);
    } else if (memmem(head, body - head, ".DescribeTable", 14)) {
        count.other++;
        describe_table(c, body, length);
    } else {
        count.other++;
        answer(c->fd, 400, "{\"__type\":\"com.amazon.coral.service#UnknownOperationException\","
                           "\"message\":\"the sink knows BatchWriteItem and DescribeTable\"}");
    }
}

/* The Content-Length of a head, -1 if it has none (chunked bodies are not supported). */
static long content_length(const char *head, const char *end) {
    for (const char *line = head; line && line < end; line = memchr(line, '\n', end - line)) {
        if (*line == '\n') line++;
        if (!strncasecmp(line, "content-length:", 15)) return atol(line + 15);
        if (!strncasecmp(line, "transfer-encoding:", 18)) return -1;
    }
    return 0;
}

/* Answer all complete requests; false if the connection must be closed. */
static bool requests(struct connection *c) {
    size_t at = 0;
    while (at < c->used) {
        char *head = c->bytes + at, *end = memmem(head, c->used - at, "\r\n\r\n", 4);
        if (!end) {
            if (c->used - at > HEAD_BYTES) return false;
            break;
        }
        end += 4;
        long length = content_length(head, end);
        if (length < 0) return false;
        size_t whole = end - head + (size_t)length;
        if (c->used - at < whole) {
            if (memmem(head, end - head, "100-continue", 12) && end == c->bytes + c->used)
                send(c->fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, MSG_NOSIGNAL);
            break;
        }
        serve(c, head, end, length);
        at += whole;
    }
    memmove(c->bytes, c->bytes + at, c->used - at);
    c->used -= at;
    return true;
}

static bool receive(struct connection *c) {
    for (;;) {
        if (c->room - c->used < 65536) c->bytes = realloc(c->bytes, c->room += c->room + 131072);
        ssize_t got = recv(c->fd, c->bytes + c->used, c->room - c->used, 0);
        if (got <= 0) return got < 0 && (errno == EAGAIN || errno == EINTR);
        c->used += got;
        if (!requests(c)) return false;
    }
}

static void watch(int fd) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    epoll_ctl(events, EPOLL_CTL_ADD, fd, &event);
}

static void take(int listener) {
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        connections[fd] = calloc(1, sizeof **connections);
        connections[fd]->fd = fd, connections[fd]->serial = ++serials;
        watch(fd);
    }
}

int main(void) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    if (bind(listener, (void *)&address, size) || listen(listener, 1024)) return perror("sink"), 1;
    getsockname(listener, (void *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    events = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    watch(listener), watch(timer);
    for (;;) {
        struct epoll_event ready[EVENTS];
        int n = epoll_wait(events, ready, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            int fd = ready[i].data.fd;
            if (fd == listener) take(listener);
            else if (fd == timer) acknowledge_due();
            else if (connections[fd] && !receive(connections[fd])) hang_up(connections[fd]);
        }
    }
}
