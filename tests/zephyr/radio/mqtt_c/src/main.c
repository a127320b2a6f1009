/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * Does what ../measure/src/main.c does, with Zephyr's MQTT library and its TLS sockets (Mbed TLS): connects,
 * publishes a message of 20 bytes at each QoS and disconnects, twice. These sockets resolve no name behind
 * NAT64, so the broker's IPv6 address is built here from the prefix in the network data and its IPv4 address.
 */
#include <errno.h>
#include <string.h>

#include <zephyr/kernel.h>
#include <zephyr/net/mqtt.h>
#include <zephyr/net/socket.h>
#include <zephyr/net/tls_credentials.h>
#include <zephyr/sys/printk.h>

#include <openthread.h>
#include <openthread/netdata.h>

#define QUIET K_SECONDS(2)
#define TAG   1
#define TOPIC "home/kitchen/temperature"

static const unsigned char ca[] = {
#include <ca.pem.inc>
	0
};

static const uint8_t broker_ipv4[] = {10, 77, 0, 2};

static struct mqtt_client client;
static struct sockaddr_in6 broker;
static uint8_t received[256];
static uint8_t sent[256];
static bool online;
static bool acknowledged;

static void on_event(struct mqtt_client *self, const struct mqtt_evt *event)
{
	switch (event->type) {
	case MQTT_EVT_CONNACK:
		printk("mark: online\n");
		online = event->result == 0;
		break;
	case MQTT_EVT_PUBREC: {
		const struct mqtt_pubrel_param release = {
			.message_id = event->param.pubrec.message_id,
		};

		(void)mqtt_publish_qos2_release(self, &release);
		break;
	}
	case MQTT_EVT_PUBACK:
	case MQTT_EVT_PUBCOMP:
		printk("mark: acknowledged\n");
		acknowledged = true;
		break;
	default:
		break;
	}
}

/* Reads what arrives until `done` is true, or for this time. */
static void receive(const bool *done, int64_t milliseconds)
{
	struct zsock_pollfd socket = {
		.fd = client.transport.tls.sock,
		.events = ZSOCK_POLLIN,
	};
	int64_t end = k_uptime_get() + milliseconds;

	while ((done == NULL || !*done) && k_uptime_get() < end) {
		if (zsock_poll(&socket, 1, 100) > 0 && mqtt_input(&client) != 0) {
			printk("failed: input\n");
			return;
		}
	}
}

/* Builds the broker's address once the device is attached and knows the prefix. */
static bool find_broker(void)
{
	otNetworkDataIterator iterator = OT_NETWORK_DATA_ITERATOR_INIT;
	otExternalRouteConfig route;
	bool found = false;

	openthread_mutex_lock();
	while (!found && otNetDataGetNextRoute(openthread_get_default_instance(), &iterator,
					       &route) == OT_ERROR_NONE) {
		found = route.mNat64 && route.mPrefix.mLength == 96;
	}
	openthread_mutex_unlock();
	if (found) {
		broker.sin6_family = AF_INET6;
		broker.sin6_port = htons(8883);
		memcpy(&broker.sin6_addr, &route.mPrefix.mPrefix, 12);
		memcpy(&broker.sin6_addr.s6_addr[12], broker_ipv4, sizeof(broker_ipv4));
	}
	return found;
}

static int connect_to_broker(void)
{
	static const sec_tag_t tags[] = {TAG};
	struct mqtt_sec_config *tls = &client.transport.tls.config;

	mqtt_client_init(&client);
	client.broker = &broker;
	client.evt_cb = on_event;
	client.client_id = MQTT_UTF8_LITERAL("sensor-1");
	client.protocol_version = MQTT_VERSION_5_0;
	client.rx_buf = received;
	client.rx_buf_size = sizeof(received);
	client.tx_buf = sent;
	client.tx_buf_size = sizeof(sent);
	client.transport.type = MQTT_TRANSPORT_SECURE;
	tls->peer_verify = TLS_PEER_VERIFY_REQUIRED;
	tls->sec_tag_list = tags;
	tls->sec_tag_count = ARRAY_SIZE(tags);
	tls->hostname = "broker.example.com";
	return mqtt_connect(&client);
}

static int publish(uint8_t qos)
{
	static uint16_t message_id;
	struct mqtt_publish_param message = {
		.message = {
			.topic = {.topic = MQTT_UTF8_LITERAL(TOPIC), .qos = qos},
			.payload = {.data = (uint8_t *)"{\"temperature\":21.5}", .len = 20},
		},
		.message_id = ++message_id,
	};

	return mqtt_publish(&client, &message);
}

int main(void)
{
	if (tls_credential_add(TAG, TLS_CREDENTIAL_CA_CERTIFICATE, ca, sizeof(ca)) != 0) {
		printk("failed: credentials\n");
		return 0;
	}
	while (!find_broker()) {
		k_sleep(K_MSEC(100));
	}
	k_sleep(QUIET);

	for (int round = 0; round < 2; round++) {
		printk("mark: start\n");
		printk("mark: resolve\n");
		for (online = false; !online;) {
			int err = connect_to_broker();

			if (err != 0) {
				printk("failed: connect %d\n", err);
				k_sleep(QUIET);
				printk("mark: resolve\n");
				continue;
			}
			printk("mark: TLS\n");
			receive(&online, 30000);
		}
		receive(NULL, 2000);
		for (uint8_t qos = 0; qos <= 2; qos++) {
			acknowledged = qos == 0;
			printk("mark: QoS %d\n", qos);
			if (publish(qos) != 0) {
				printk("failed: publish\n");
			}
			if (acknowledged) {
				printk("mark: acknowledged\n");
			}
			receive(&acknowledged, 30000);
			receive(NULL, 2000);
		}
		printk("mark: disconnect\n");
		(void)mqtt_disconnect(&client, NULL);
		k_sleep(QUIET);
	}
	printk("mark: end\n");
	return 0;
}
