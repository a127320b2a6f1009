/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * thread_mqtt status|connect|disconnect|pub|sub|unsub|resolve|prefixes|doctor|client
 *
 * The commands act on the client that the application created. If there are several, they act on the
 * first, or on the one chosen with "client". Work that takes stack and time is done in that client's
 * thread, which prints while the shell waits.
 */
#include <stdlib.h>
#include <string.h>

#include <zephyr/kernel.h>
#include <zephyr/shell/shell.h>

#include <thread_mqtt_port.h>
#include "shell.h"

/* How long to wait for the broker's answer to pub, sub and unsub, in milliseconds. */
#define ANSWER_MS 10000

/* Longest look-up in seconds; the resolver's own deadline is shorter. */
#define RESOLVE_S 60

#define DOCTOR_MIN_S 5
#define DOCTOR_MAX_S 600

/* --------------------------------------------------- commands that run in the client's thread */

struct question {
	const struct shell *sh;
	/* Printed before each line. */
	const char *prefix;
	int64_t until;
	int32_t result;
	struct k_sem done;
};

/* Another thread may print while a command runs. */
static void print_line(void *context, const char *text, size_t length)
{
	struct question *question = context;

	shell_print(question->sh, "%s%.*s", question->prefix, (int)length, text);
}

static uint8_t is_gone(void *context)
{
	struct question *question = context;

	return k_uptime_get() >= question->until;
}

static void is_done(void *context, int32_t result)
{
	struct question *question = context;

	question->result = result;
	k_sem_give(&question->done);
}

/* The client that the commands act on, counted from 1; 0 is the first one. */
static atomic_t chosen;

static struct thread_mqtt *client_number(size_t number)
{
	/* Only the Rust side knows the type. */
	return (struct thread_mqtt *)tmq_client_at(number - 1);
}

/* Returns the number of the first client, 0 if there is none. */
static size_t first_number(void)
{
	for (size_t i = 1; i <= CONFIG_THREAD_MQTT_MAX_CLIENTS; i++) {
		if (client_number(i) != NULL) {
			return i;
		}
	}
	return 0;
}

static struct thread_mqtt *client_of(const struct shell *sh)
{
	size_t number = (size_t)atomic_get(&chosen);
	size_t first = first_number();
	struct thread_mqtt *client;

	if (first == 0) {
		shell_error(sh, "no client: the application has not called thread_mqtt_init()");
		return NULL;
	}
	client = client_number(number == 0 ? first : number);
	if (client == NULL) {
		shell_error(sh, "client %zu has ended; choose another: thread_mqtt client NUMBER",
			    number);
	}
	return client;
}

static int report(const struct shell *sh, int result)
{
	if (result == 0) {
		return 0;
	}
	shell_error(sh, "error %d: %s", result, thread_mqtt_error_to_str(result));
	return -ENOEXEC;
}

/* Asks a client and waits: its thread ends the answer when the time is up. */
static int ask_client(const struct shell *sh, struct thread_mqtt *client, const char *prefix,
		      uint8_t kind, const char *name, int32_t seconds)
{
	struct question question = {
		.sh = sh,
		.prefix = prefix,
		.until = k_uptime_get() + 1000 * (int64_t)seconds,
	};
	struct tmq_listener listener = {
		.line = print_line,
		.is_gone = is_gone,
		.done = is_done,
		.context = &question,
	};
	int32_t result;

	(void)k_sem_init(&question.done, 0, 1);
	result = tmq_client_ask(client, kind, name, &listener);
	if (result != 0) {
		return report(sh, result);
	}
	if (k_sem_take(&question.done, K_SECONDS(seconds)) != 0) {
		/* The client checks whether the shell still listens, and ends soon. */
		tmq_client_wake(client);
		(void)k_sem_take(&question.done, K_FOREVER);
		shell_error(sh, "timed out after %d s", seconds);
		return -ETIMEDOUT;
	}
	return report(sh, question.result);
}

/* Asks the client that the commands act on. */
static int ask(const struct shell *sh, uint8_t kind, const char *name, int32_t seconds)
{
	struct thread_mqtt *client = client_of(sh);

	return client == NULL ? -ENOEXEC : ask_client(sh, client, "", kind, name, seconds);
}

static int cmd_status(const struct shell *sh, size_t argc, char **argv)
{
	ARG_UNUSED(argc);
	ARG_UNUSED(argv);
	return ask(sh, TMQ_ASK_STATUS, NULL, RESOLVE_S);
}

static int cmd_prefixes(const struct shell *sh, size_t argc, char **argv)
{
	ARG_UNUSED(argc);
	ARG_UNUSED(argv);
	return ask(sh, TMQ_ASK_PREFIXES, NULL, RESOLVE_S);
}

static int cmd_resolve(const struct shell *sh, size_t argc, char **argv)
{
	char uri[264];
	char sentence[128];
	int err;

	ARG_UNUSED(argc);
	/* The error sentence of a URI says what is wrong with its host. */
	if (strchr(argv[1], ':') == NULL) {
		if (snprintk(uri, sizeof(uri), "mqtt://%s", argv[1]) >= (int)sizeof(uri)) {
			shell_error(sh, "the name is too long");
			return -EINVAL;
		}
		err = thread_mqtt_uri_check(uri, sentence, sizeof(sentence));
		if (err == THREAD_MQTT_ERROR_URI) {
			shell_error(sh, "%s", sentence);
			return -EINVAL;
		}
		if (err != 0) {
			return report(sh, err);
		}
	}
	return ask(sh, TMQ_ASK_RESOLVE, argv[1], RESOLVE_S);
}

/* Parses a whole number; if it is invalid or out of range, prints the reason. */
static bool number(const struct shell *sh, const char *text, unsigned long least,
		   unsigned long most, unsigned long *value)
{
	int err = 0;

	*value = shell_strtoul(text, 10, &err);
	if (err != 0 || *value < least || *value > most) {
		shell_error(sh, "%s is not a number from %lu to %lu", text, least, most);
		return false;
	}
	return true;
}

static int cmd_doctor(const struct shell *sh, size_t argc, char **argv)
{
	unsigned long seconds = CONFIG_THREAD_MQTT_SHELL_DOCTOR_TIMEOUT;

	if (argc > 1 && !number(sh, argv[1], DOCTOR_MIN_S, DOCTOR_MAX_S, &seconds)) {
		return -EINVAL;
	}
	return ask(sh, TMQ_ASK_DOCTOR, NULL, (int32_t)seconds);
}

/* ------------------------------------------------------------- commands answered by the broker */

/* The event that the shell waits for, and the shell that prints messages. */
static struct {
	struct k_mutex lock;
	struct k_sem answered;
	bool waits;
	/* With several clients, each numbers its own tokens. */
	const struct thread_mqtt *client;
	uint32_t token;
	/* A thread_mqtt_event_type. */
	uint8_t type;
	uint8_t reason;
	/* Why the command failed; empty in an image without sentences. */
	char text[160];
	/* Prints messages after it has subscribed. */
	const struct shell *printer;
} waiting = {
	.lock = Z_MUTEX_INITIALIZER(waiting.lock),
	.answered = Z_SEM_INITIALIZER(waiting.answered, 0, 1),
};

/* Prints text so that it cannot move the cursor, whatever its sender put into it. `from` precedes it. */
static void print_message(const struct shell *sh, const char *from,
			  const struct thread_mqtt_message *message)
{
	const unsigned char *payload = message->payload;
	bool is_text = true;

	for (size_t i = 0; i < message->payload_len; i++) {
		is_text = is_text && payload[i] >= ' ' && payload[i] != 0x7f;
	}
	for (const char *c = message->topic; *c != '\0'; c++) {
		is_text = is_text && (unsigned char)*c >= ' ' && *c != 0x7f;
	}
	if (is_text) {
		shell_print(sh, "%s%s: %.*s", from, message->topic, (int)message->payload_len,
			    (const char *)payload);
		return;
	}
	shell_print(sh, "%smessage of %zu bytes", from, message->payload_len);
	shell_hexdump(sh, payload, message->payload_len);
}

void tmq_shell_event(struct thread_mqtt *client, const struct thread_mqtt_event *event)
{
	const struct shell *printer;
	char from[sizeof("client 8, ")] = "";
	bool answers = event->type == THREAD_MQTT_EVENT_PUBLISHED ||
		       event->type == THREAD_MQTT_EVENT_PUBLISH_FAILED ||
		       event->type == THREAD_MQTT_EVENT_SUBSCRIBED ||
		       event->type == THREAD_MQTT_EVENT_UNSUBSCRIBED;

	(void)k_mutex_lock(&waiting.lock, K_FOREVER);
	printer = waiting.printer;
	if (answers && waiting.waits && client == waiting.client &&
	    event->token == waiting.token) {
		waiting.waits = false;
		waiting.type = event->type;
		waiting.reason = event->reason;
		(void)snprintk(waiting.text, sizeof(waiting.text), "%s",
			       event->text == NULL ? "" : event->text);
		k_sem_give(&waiting.answered);
	}
	(void)k_mutex_unlock(&waiting.lock);
	if (event->type != THREAD_MQTT_EVENT_MESSAGE || printer == NULL) {
		return;
	}
	for (size_t i = 1; CONFIG_THREAD_MQTT_MAX_CLIENTS > 1 && i <= CONFIG_THREAD_MQTT_MAX_CLIENTS;
	     i++) {
		if (client_number(i) == client) {
			(void)snprintk(from, sizeof(from), "client %zu, ", i);
		}
	}
	print_message(printer, from, event->message);
}

/* Waits for the answer to a queued command. Called with waiting.lock held; releases it. */
static int await(const struct shell *sh, struct thread_mqtt *client, int queued)
{
	bool online = thread_mqtt_is_online(client);
	bool answered = false;

	waiting.waits = queued == 0 && online;
	waiting.client = client;
	k_sem_reset(&waiting.answered);
	(void)k_mutex_unlock(&waiting.lock);
	if (queued != 0) {
		return report(sh, queued);
	}
	if (!online) {
		shell_print(sh, "queued until the client is online");
		return 0;
	}
	answered = k_sem_take(&waiting.answered, K_MSEC(ANSWER_MS)) == 0;
	(void)k_mutex_lock(&waiting.lock, K_FOREVER);
	waiting.waits = false;
	(void)k_mutex_unlock(&waiting.lock);
	if (!answered) {
		shell_warn(sh, "no answer in %d s; it stays queued", ANSWER_MS / 1000);
		return -ETIMEDOUT;
	}
	if (waiting.type == THREAD_MQTT_EVENT_PUBLISH_FAILED || waiting.reason >= 0x80) {
		if (waiting.text[0] == '\0') {
			shell_error(sh, "the broker refused it, reason 0x%02x", waiting.reason);
		} else {
			shell_error(sh, "%s", waiting.text);
		}
		return -EACCES;
	}
	shell_print(sh, "%s", thread_mqtt_event_to_str(waiting.type));
	return 0;
}

static int cmd_pub(const struct shell *sh, size_t argc, char **argv)
{
	struct thread_mqtt *client = client_of(sh);
	unsigned long qos = 1;
	struct thread_mqtt_message message = {
		.topic = argv[1],
		.payload = argv[2],
		.payload_len = strlen(argv[2]),
	};

	if (client == NULL) {
		return -ENOEXEC;
	}
	if (argc > 3 && !number(sh, argv[3], 0, 2, &qos)) {
		return -EINVAL;
	}
	if (argc > 4) {
		if (strcmp(argv[4], "retain") != 0) {
			shell_error(sh, "%s: expected \"retain\"", argv[4]);
			return -EINVAL;
		}
		message.retain = true;
	}
	message.qos = (uint8_t)qos;
	(void)k_mutex_lock(&waiting.lock, K_FOREVER);
	return await(sh, client, thread_mqtt_publish(client, &message, &waiting.token));
}

static int cmd_sub(const struct shell *sh, size_t argc, char **argv)
{
	struct thread_mqtt *client = client_of(sh);
	unsigned long qos = 0;

	if (client == NULL) {
		return -ENOEXEC;
	}
	if (argc > 2 && !number(sh, argv[2], 0, 2, &qos)) {
		return -EINVAL;
	}
	(void)k_mutex_lock(&waiting.lock, K_FOREVER);
	waiting.printer = sh;
	return await(sh, client,
		     thread_mqtt_subscribe(client, argv[1], (uint8_t)qos, &waiting.token));
}

static int cmd_unsub(const struct shell *sh, size_t argc, char **argv)
{
	struct thread_mqtt *client = client_of(sh);

	ARG_UNUSED(argc);
	if (client == NULL) {
		return -ENOEXEC;
	}
	(void)k_mutex_lock(&waiting.lock, K_FOREVER);
	return await(sh, client, thread_mqtt_unsubscribe(client, argv[1], &waiting.token));
}

/* Starts or stops the client, or prints that it already is in that state. */
static int set_running(const struct shell *sh, int (*change)(struct thread_mqtt *client),
		       const char *already)
{
	struct thread_mqtt *client = client_of(sh);
	int result;

	if (client == NULL) {
		return -ENOEXEC;
	}
	result = change(client);
	if (result == THREAD_MQTT_ERROR_STATE) {
		shell_error(sh, "%s", already);
		return -EALREADY;
	}
	return report(sh, result);
}

static int cmd_connect(const struct shell *sh, size_t argc, char **argv)
{
	ARG_UNUSED(argc);
	ARG_UNUSED(argv);
	return set_running(sh, thread_mqtt_start,
			   "the client is already started; see: thread_mqtt status");
}

static int cmd_disconnect(const struct shell *sh, size_t argc, char **argv)
{
	ARG_UNUSED(argc);
	ARG_UNUSED(argv);
	return set_running(sh, thread_mqtt_stop, "the client is not started");
}

#if CONFIG_THREAD_MQTT_MAX_CLIENTS > 1
static int cmd_client(const struct shell *sh, size_t argc, char **argv)
{
	size_t acts_on = (size_t)atomic_get(&chosen);
	unsigned long wanted;
	int result = 0;

	if (argc > 1) {
		if (!number(sh, argv[1], 1, CONFIG_THREAD_MQTT_MAX_CLIENTS, &wanted)) {
			return -EINVAL;
		}
		if (client_number(wanted) == NULL) {
			shell_error(sh, "there is no client %lu; see: thread_mqtt client", wanted);
			return -ENOENT;
		}
		(void)atomic_set(&chosen, (atomic_val_t)wanted);
		return 0;
	}
	if (first_number() == 0) {
		/* Prints that there is none. */
		(void)client_of(sh);
		return -ENOEXEC;
	}
	acts_on = acts_on == 0 ? first_number() : acts_on;
	for (size_t i = 1; result == 0 && i <= CONFIG_THREAD_MQTT_MAX_CLIENTS; i++) {
		struct thread_mqtt *client = client_number(i);
		char prefix[sizeof("> 8  ")];

		(void)snprintk(prefix, sizeof(prefix), "%c %zu  ", i == acts_on ? '>' : ' ', i);
		if (client != NULL) {
			result = ask_client(sh, client, prefix, TMQ_ASK_BRIEF, NULL, RESOLVE_S);
		}
	}
	return result;
}
#define CLIENT_COMMAND                                                                             \
	SHELL_CMD_ARG(client, NULL,                                                                \
		      "List the clients, or choose the one for these commands: [NUMBER]",          \
		      cmd_client, 1, 1),
#else
#define CLIENT_COMMAND
#endif

SHELL_STATIC_SUBCMD_SET_CREATE(
	commands,
	SHELL_CMD_ARG(status, NULL, "Show the network, the client and the last failure.",
		      cmd_status, 1, 0),
	SHELL_CMD_ARG(connect, NULL, "Start the client.", cmd_connect, 1, 0),
	SHELL_CMD_ARG(disconnect, NULL, "Stop the client.", cmd_disconnect, 1, 0),
	SHELL_CMD_ARG(pub, NULL, "Publish: TOPIC MESSAGE [QOS, by default 1] [retain]", cmd_pub, 3,
		      2),
	SHELL_CMD_ARG(sub, NULL, "Subscribe and print messages: FILTER [QOS, by default 0]",
		      cmd_sub, 2, 1),
	SHELL_CMD_ARG(unsub, NULL, "Unsubscribe: FILTER", cmd_unsub, 2, 0),
	SHELL_CMD_ARG(resolve, NULL, "Resolve a host name or an address: NAME", cmd_resolve, 2, 0),
	SHELL_CMD_ARG(prefixes, NULL, "List the known NAT64 prefixes.", cmd_prefixes, 1, 0),
	SHELL_CMD_ARG(doctor, NULL,
		      "Reconnect to the broker and name the first stage that fails: "
		      "[SECONDS it may take]",
		      cmd_doctor, 1, 1),
	CLIENT_COMMAND
	SHELL_SUBCMD_SET_END);

SHELL_CMD_REGISTER(thread_mqtt, &commands, "MQTT over Thread", NULL);
