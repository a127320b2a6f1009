/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A session that survives its process: this program starts a copy of itself, kills it, and checks what
 * the broker received.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include <thread_mqtt_port.h>

#define ROUNDS    5
/* More than a round can publish. */
#define PER_ROUND 1000
/* Published last, after all others. */
#define LAST      (ROUNDS * PER_ROUND)

static const char *program;

/* Keys of stored sessions. */
static const uint8_t secret[32] = {1, 2, 3};
static const uint8_t other_secret[32] = {1, 2, 4};

/* How often each message arrived. */
static unsigned int arrived[LAST + 1];

static struct thread_mqtt_config durable_config(struct told *told, uint8_t version)
{
	struct thread_mqtt_config config = idle_config(told);

	config.broker = setting("TEST_BROKER");
	config.mqtt_version = version;
	config.client_id = version == 5 ? "durable-5" : "durable-4";
	config.session_name = config.client_id;
	config.clean_start = false;
	config.session_expiry_s = 3600;
	/* One of the two is encrypted. */
	if (version == 5) {
		config.session_key = secret;
		config.session_key_len = sizeof(secret);
	}
	return config;
}

static int publish(struct thread_mqtt *client, int number, uint8_t until)
{
	char payload[16];
	struct thread_mqtt_message message = {
		.topic = "durable/t",
		.payload = payload,
		.qos = 2,
	};

	message.payload_len = (size_t)snprintf(payload, sizeof(payload), "%d", number);
	return thread_mqtt_publish_wait(client, &message, NULL, until, PATIENCE);
}

/* The process that is killed: publishes, and writes a byte for each accepted message. */
int durable_publisher(char *const arguments[])
{
	struct told told;
	struct thread_mqtt_config config = durable_config(&told, (uint8_t)atoi(arguments[0]));
	struct thread_mqtt *client = NULL;
	int first = atoi(arguments[1]) * PER_ROUND;

	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	for (int number = first; number < first + PER_ROUND; number++) {
		CHECK_EQUAL(publish(client, number, THREAD_MQTT_WAIT_STORED), 0);
		CHECK_EQUAL(write(STDOUT_FILENO, "x", 1), 1);
	}
	return 0;
}

/* Starts a publisher and kills it after this many messages; returns how many were accepted. */
static int kill_after(int messages, uint8_t version, int round)
{
	int ends[2];
	int accepted = 0;
	char byte;
	pid_t child;
	int status;

	CHECK_EQUAL(pipe(ends), 0);
	child = fork();
	CHECK(child >= 0);
	if (child == 0) {
		char numbers[2][12];

		(void)snprintf(numbers[0], sizeof(numbers[0]), "%d", version);
		(void)snprintf(numbers[1], sizeof(numbers[1]), "%d", round);
		/* Set by option_cases(); it would cause a warning. */
		(void)unsetenv("THREAD_MQTT_MAX_CHAIN");
		(void)unsetenv("THREAD_MQTT_OUTBOX_BYTES");
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)close(ends[0]);
		(void)close(ends[1]);
		(void)execl(program, program, "durable", numbers[0], numbers[1], (char *)NULL);
		_exit(127);
	}
	(void)close(ends[1]);
	while (accepted < messages) {
		CHECK_EQUAL(read(ends[0], &byte, 1), 1);
		accepted++;
	}
	CHECK_EQUAL(kill(child, SIGKILL), 0);
	while (read(ends[0], &byte, 1) == 1) {
		accepted++;
	}
	CHECK_EQUAL(waitpid(child, &status, 0), child);
	CHECK(WIFSIGNALED(status));
	(void)close(ends[0]);
	return accepted;
}

static void count_arrival(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	char text[16] = "";
	int number;

	(void)client;
	if (event->type != THREAD_MQTT_EVENT_MESSAGE) {
		return;
	}
	CHECK(event->message->payload_len < sizeof(text));
	memcpy(text, event->message->payload, event->message->payload_len);
	number = atoi(text);
	CHECK(number >= 0 && number <= LAST);
	(void)__atomic_fetch_add(&arrived[number], 1, __ATOMIC_SEQ_CST);
}

static void killed_processes(uint8_t version)
{
	struct told heard;
	struct told told;
	struct thread_mqtt_config config = idle_config(&heard);
	struct thread_mqtt *listener = NULL;
	struct thread_mqtt *client = NULL;
	int accepted[ROUNDS];
	unsigned int count = 0;

	memset(arrived, 0, sizeof(arrived));
	told_call(&heard, count_arrival);
	config.broker = setting("TEST_BROKER");
	CHECK_EQUAL(thread_mqtt_init(&listener, &config), 0);
	CHECK_EQUAL(thread_mqtt_subscribe(listener, "durable/t", 2, NULL), 0);
	CHECK_EQUAL(thread_mqtt_start(listener), 0);
	await(&heard, THREAD_MQTT_EVENT_SUBSCRIBED, 1);

	for (int round = 0; round < ROUNDS; round++) {
		accepted[round] = kill_after(1 + 7 * round, version, round);
	}
	config = durable_config(&told, version);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_start(client), 0);
	CHECK_EQUAL(publish(client, LAST, THREAD_MQTT_WAIT_ACKNOWLEDGED), 0);
	/* It must not arrive before those that were accepted earlier. */
	while (__atomic_load_n(&arrived[LAST], __ATOMIC_SEQ_CST) == 0) {
		await(&heard, THREAD_MQTT_EVENT_MESSAGE, ++count);
	}

	for (int number = 0; number < LAST; number++) {
		bool was_accepted = number % PER_ROUND < accepted[number / PER_ROUND];

		CHECK(arrived[number] <= 1);
		CHECK(arrived[number] == 1 || !was_accepted);
	}
	CHECK_EQUAL(thread_mqtt_stop(client), 0);
	await(&told, THREAD_MQTT_EVENT_STOPPED, 1);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
	CHECK_EQUAL(thread_mqtt_deinit(listener), 0);
}

/* Removes everything from an earlier run. */
static void wipe(const char *session)
{
	static const unsigned int others[] = {0x0000, 0x0001};

	for (unsigned int i = 0; i < 0x12; i++) {
		unsigned int key = i < COUNT(others) ? others[i] : 0x8000 + i - 2;
		char name[24];

		(void)snprintf(name, sizeof(name), "%s.%04x", session, key);
		CHECK_EQUAL(tmq_port_store_delete(name), 0);
	}
}

static struct thread_mqtt *encrypted_client(struct told *told, const uint8_t *key)
{
	struct thread_mqtt_config config = idle_config(told);
	struct thread_mqtt *client = NULL;

	config.session_name = "encrypted";
	config.session_key = key;
	config.session_key_len = key == NULL ? 0 : sizeof(secret);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	return client;
}

/* Returns whether the topic is readable in the stored data. */
static bool stored_in_clear(const char *key)
{
	uint8_t record[256];
	int32_t length = tmq_port_store_read(key, record, sizeof(record));

	CHECK(length > 0);
	return memmem(record, (size_t)length, "stored/topic", 12) != NULL;
}

static void encrypted(void)
{
	static const uint8_t *const wrong[] = {other_secret, NULL};
	struct thread_mqtt_message message = {.topic = "stored/topic", .qos = 1};
	struct told told;
	struct thread_mqtt *client;
	struct thread_mqtt_config config;

	wipe("encrypted");
	client = encrypted_client(&told, secret);
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, NULL, THREAD_MQTT_WAIT_STORED, -1), 0);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_RESTORED), 0);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
	CHECK(!stored_in_clear("encrypted.8000"));

	for (size_t i = 0; i < COUNT(wrong); i++) {
		client = encrypted_client(&told, wrong[i]);
		await(&told, THREAD_MQTT_EVENT_STORAGE_FAILED, 1);
		CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_STORAGE_FAILED).error,
			    THREAD_MQTT_ERROR_NOT_STORED);
		CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_RESTORED), 0);
		CHECK_EQUAL(thread_mqtt_deinit(client), 0);
	}
	client = encrypted_client(&told, secret);
	await(&told, THREAD_MQTT_EVENT_RESTORED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_RESTORED).number, 1);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);

	config = idle_config(&told);
	config.session_name = "encrypted";
	config.session_key = secret;
	config.session_key_len = 20;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
	config.session_key_len = 16;
	config.session_key_id = 1;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
	/* This library is built without PSA Crypto. */
	config.session_key = NULL;
	config.session_key_len = 0;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
	config.session_key_len = 1;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_ARGUMENT);
	config = idle_config(&told);
	config.first_packet_id = 32768;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
	config.first_packet_id = 0;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

/* Events about storage, and the settings in a message and in the configuration. */
static void settings_of_a_message(void)
{
	struct told told;
	struct thread_mqtt_config config = idle_config(&told);
	struct thread_mqtt *client = NULL;
	struct thread_mqtt_message message = {.topic = "t", .qos = 1};

	wipe("settings");
	config.session_name = "settings";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), 0);
	await(&told, THREAD_MQTT_EVENT_STORED, 1);
	message.durable = THREAD_MQTT_DURABLE_NO;
	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), 0);
	message.durable = THREAD_MQTT_DURABLE_YES;
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, NULL, THREAD_MQTT_WAIT_STORED, -1), 0);
	await(&told, THREAD_MQTT_EVENT_STORED, 2);
	message.durable = 3;
	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), THREAD_MQTT_ERROR_ARGUMENT);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);

	config = idle_config(&told);
	config.session_name = "settings";
	config.durable = false;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	await(&told, THREAD_MQTT_EVENT_RESTORED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_RESTORED).number, 2);
	message.durable = THREAD_MQTT_DURABLE_DEFAULT;
	CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), 0);
	message.durable = THREAD_MQTT_DURABLE_YES;
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, NULL, THREAD_MQTT_WAIT_STORED, -1), 0);
	await(&told, THREAD_MQTT_EVENT_STORED, 1);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_STORED), 1);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);

	/* One record is damaged by hand; the others remain. */
	CHECK_EQUAL(tmq_port_store_write("settings.8001", (const uint8_t *)"damaged", 7), 0);
	config = idle_config(&told);
	config.session_name = "settings";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	await(&told, THREAD_MQTT_EVENT_RESTORED, 1);
	CHECK_EQUAL(told_count(&told, THREAD_MQTT_EVENT_RECORD_DAMAGED), 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_RECORD_DAMAGED).number, 0x8001);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_RESTORED).number, 2);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);

	/* Without storage. */
	client = idle_client(&told);
	message.durable = THREAD_MQTT_DURABLE_YES;
	CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, NULL, THREAD_MQTT_WAIT_STORED, -1),
		    THREAD_MQTT_ERROR_NOT_STORED);
	await(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED, 1);
	CHECK_EQUAL(told_last(&told, THREAD_MQTT_EVENT_PUBLISH_FAILED).error,
		    THREAD_MQTT_ERROR_NOT_STORED);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);

	config = idle_config(&told);
	config.session_name = "thirteen-char";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
	config.session_name = "a.b";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);

	/* A client is free, but its thread does not start: to read the session, or at all. */
	refuse_threads(true);
	config.session_name = "settings";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_PLATFORM - EAGAIN);
	config.session_name = NULL;
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_PLATFORM - EAGAIN);
	refuse_threads(false);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
}

/* thread_mqtt_init() does not read the stored session. A caller that queues something before the client's thread has
 * read it waits, and then finds the remaining room.
 */
static void room_after_a_restart(void)
{
	struct told told;
	struct thread_mqtt_config config = idle_config(&told);
	struct thread_mqtt *client = NULL;
	struct thread_mqtt_message message = {.topic = "t", .qos = 1};

	wipe("room");
	config.session_name = "room";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	for (int i = 0; i < CONFIG_THREAD_MQTT_OUTBOX_MESSAGES; i++) {
		CHECK_EQUAL(thread_mqtt_publish_wait(client, &message, NULL, THREAD_MQTT_WAIT_STORED, -1), 0);
	}
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
	for (int round = 0; round < 10; round++) {
		CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
		CHECK_EQUAL(thread_mqtt_publish(client, &message, NULL), THREAD_MQTT_ERROR_FULL);
		CHECK_EQUAL(thread_mqtt_subscribe(client, "t", 0, NULL), 0);
		CHECK_EQUAL(thread_mqtt_deinit(client), 0);
		/* Deleted while its thread reads. */
		CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
		CHECK_EQUAL(thread_mqtt_deinit(client), 0);
	}
	wipe("room");
}

/* Two clients with one session would overwrite each other's records. */
static void a_session_has_one_client(void)
{
	struct told told;
	struct told other_told;
	struct thread_mqtt_config config = idle_config(&told);
	struct thread_mqtt_config other_config = idle_config(&other_told);
	struct thread_mqtt *client = NULL;
	struct thread_mqtt *other = NULL;

	config.session_name = "one";
	other_config.session_name = "one";
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	CHECK_EQUAL(thread_mqtt_init(&other, &other_config), THREAD_MQTT_ERROR_SETTING);
	CHECK(was_logged("another client stores its session under the same name"));
	CHECK_EQUAL(thread_mqtt_config_check(&other_config), 0);
	other_config.session_name = "on";
	CHECK_EQUAL(thread_mqtt_init(&other, &other_config), 0);
	CHECK_EQUAL(thread_mqtt_deinit(other), 0);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);

	/* A client that failed to start releases its session as well. */
	other_config.session_name = "one";
	refuse_threads(true);
	CHECK_EQUAL(thread_mqtt_init(&other, &other_config), THREAD_MQTT_ERROR_PLATFORM - EAGAIN);
	refuse_threads(false);
	CHECK_EQUAL(thread_mqtt_init(&other, &other_config), 0);
	CHECK_EQUAL(thread_mqtt_deinit(other), 0);
}

/* Another process cannot use the session either; a lock stands for that process here. */
static void a_session_has_one_process(void)
{
	struct told told;
	struct thread_mqtt_config config = idle_config(&told);
	struct thread_mqtt *client = NULL;
	char path[PATH_MAX];
	int fd;

	config.session_name = "elsewhere";
	(void)snprintf(path, sizeof(path), "%s/.elsewhere.lock", getenv("THREAD_MQTT_STATE_DIR"));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), THREAD_MQTT_ERROR_SETTING);
	CHECK(was_logged("another client stores its session under the same name"));
	(void)close(fd);
	CHECK_EQUAL(thread_mqtt_init(&client, &config), 0);
	fd = open(path, O_RDWR | O_CLOEXEC);
	CHECK(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0);
	CHECK_EQUAL(thread_mqtt_deinit(client), 0);
	CHECK(flock(fd, LOCK_EX | LOCK_NB) == 0);
	(void)close(fd);
}

void durable_cases(const char *self)
{
	program = self;
	RUN(settings_of_a_message);
	RUN(room_after_a_restart);
	RUN(a_session_has_one_client);
	RUN(a_session_has_one_process);
	RUN(encrypted);
	killed_processes(5);
	killed_processes(4);
}
