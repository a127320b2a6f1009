/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * OpenThread's radio co-processor on a UART without a FIFO whose transmitter is always ready: that of
 * mps2/an386 in QEMU, which takes each byte at once and keeps back what the image has not read.
 */
#include <zephyr/device.h>
#include <zephyr/drivers/uart.h>
#include <zephyr/kernel.h>
#include <zephyr/net/hdlc_rcp_if/hdlc_rcp_if.h>
#include <zephyr/net/ieee802154_radio.h>
#include <zephyr/net/openthread.h>
#include <zephyr/sys/ring_buffer.h>

#include <openthread/platform/radio.h>

#define DT_DRV_COMPAT uart_hdlc_rcp_if

/* Bytes passed on at once. OpenThread's decoder waits forever if it has no room for them. */
#define PART 128
#define MTU  1280

static const struct device *const uart = DEVICE_DT_GET(DT_CHOSEN(zephyr_ot_uart));
RING_BUF_DECLARE(received, 2048);
static hdlc_rx_callback_t receiver;
static void *receiver_parameter;

/* Reads from the UART as much as there is room for. */
static void take(void)
{
	uint8_t byte;

	while (ring_buf_space_get(&received) > 0 && uart_fifo_read(uart, &byte, 1) == 1) {
		(void)ring_buf_put(&received, &byte, 1);
	}
}

static void hand_on(struct k_work *work)
{
	uint8_t part[PART];
	uint32_t length;

	ARG_UNUSED(work);
	while ((length = ring_buf_get(&received, part, sizeof(part))) > 0) {
		unsigned int key;

		receiver(part, (uint16_t)length, receiver_parameter);
		key = irq_lock();
		uart_irq_rx_enable(uart);
		take();
		irq_unlock(key);
	}
}

static K_WORK_DEFINE(work, hand_on);

static void interrupt(const struct device *dev, void *user_data)
{
	ARG_UNUSED(user_data);
	(void)uart_irq_update(dev);
	take();
	if (ring_buf_space_get(&received) == 0) {
		uart_irq_rx_disable(dev);
	}
	(void)k_work_submit(&work);
}

static int register_receiver(hdlc_rx_callback_t callback, void *parameter)
{
	receiver = callback;
	receiver_parameter = parameter;
	(void)uart_irq_callback_user_data_set(uart, interrupt, NULL);
	uart_irq_rx_enable(uart);
	return 0;
}

static int send(const uint8_t *frame, uint16_t length)
{
	for (uint16_t i = 0; i < length; i++) {
		uart_poll_out(uart, frame[i]);
	}
	return 0;
}

static int stop(void)
{
	uart_irq_rx_disable(uart);
	ring_buf_reset(&received);
	return 0;
}

static void begin(struct net_if *iface)
{
	static otExtAddress address;

	ieee802154_init(iface);
	otPlatRadioGetIeeeEui64(openthread_get_default_instance(), address.m8);
	(void)net_if_set_link_addr(iface, address.m8, sizeof(address.m8), NET_LINK_IEEE802154);
}

static const struct hdlc_api api = {
	.iface_api.init = begin,
	.register_rx_cb = register_receiver,
	.send = send,
	.deinit = stop,
};

NET_DEVICE_DT_INST_DEFINE(0, NULL, NULL, NULL, NULL, CONFIG_KERNEL_INIT_PRIORITY_DEFAULT, &api,
			  OPENTHREAD_L2, NET_L2_GET_CTX_TYPE(OPENTHREAD_L2), MTU);
