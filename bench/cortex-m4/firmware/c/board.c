/* SPDX-License-Identifier: MIT OR Apache-2.0 */
#include "board.h"

#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* CMSDK timer 0: counts down at 25 MHz. With -icount shift=0 an instruction takes a nanosecond. */
#define TIMER_CTRL            REGISTER(0x40000000)
#define TIMER_VALUE           REGISTER(0x40000004)
#define TIMER_RELOAD          REGISTER(0x40000008)
#define INSTRUCTIONS_PER_TICK 40

/* CMSDK UART 0. */
#define UART_DATA    REGISTER(0x40004000)
#define UART_STATE   REGISTER(0x40004004)
#define UART_CTRL    REGISTER(0x40004008)
#define UART_BAUDDIV REGISTER(0x40004010)
#define UART_TX_FULL 1
#define UART_RX_FULL 2

#define CPACR REGISTER(0xe000ed88)

#define PAINT 0xa5a5a5a5u

extern uint32_t board_data_start[], board_data_end[], board_data_load[];
extern uint32_t board_bss_start[], board_bss_end[];
extern uint8_t board_heap_start[], board_heap_end[];
extern uint32_t board_stack_bottom[], board_stack_top[];

static uint32_t ticks, ticks_since;
/* Everything; and without what board_calloc gave to Mbed TLS. */
static size_t heap_now, heap_most, own_now, own_most;
static uint32_t sent, received;
static uint8_t *heap_next = board_heap_start;
/* Blocks given back, by the binary logarithm of their size. */
static void *free_blocks[32];
static uintptr_t stack_base;

/* Semihosting: QEMU does what `operation` says. */
static void semihosting(uint32_t operation, const void *argument)
{
	register uint32_t r0 __asm__("r0") = operation;
	register const void *r1 __asm__("r1") = argument;

	__asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}

static void print(const char *text)
{
	semihosting(0x04 /* SYS_WRITE0 */, text);
}

static void print_number(const char *name, uint64_t number)
{
	char text[24];
	char *digit = text + sizeof(text);

	*--digit = '\0';
	do {
		*--digit = '0' + number % 10;
		number /= 10;
	} while (number > 0);
	print(name);
	print(digit);
}

static __attribute__((noreturn)) void leave(int code)
{
	uint32_t arguments[] = {0x20026 /* ADP_Stopped_ApplicationExit */, code};

	semihosting(0x20 /* SYS_EXIT_EXTENDED */, arguments);
	for (;;) {
	}
}

static void clock_pause(void)
{
	ticks += ticks_since - TIMER_VALUE;
}

static void clock_resume(void)
{
	ticks_since = TIMER_VALUE;
}

void board_receive(uint8_t *data, size_t len)
{
	clock_pause();
	received += len;
	while (len-- > 0) {
		while (!(UART_STATE & UART_RX_FULL)) {
		}
		*data++ = UART_DATA;
	}
	clock_resume();
}

void board_send(const uint8_t *data, size_t len)
{
	clock_pause();
	sent += len;
	while (len-- > 0) {
		while (UART_STATE & UART_TX_FULL) {
		}
		UART_DATA = *data++;
	}
	clock_resume();
}

int board_has_received(void)
{
	return (UART_STATE & UART_RX_FULL) != 0;
}

uint64_t board_ticks(void)
{
	static uint64_t passed;
	static uint32_t before = 0xffffffff;
	uint32_t now = TIMER_VALUE;

	passed += before - now;
	before = now;
	return passed;
}

/* xorshift64* */
void board_random(uint8_t *data, size_t len)
{
	static uint64_t state = 0x9e3779b97f4a7c15u;

	while (len-- > 0) {
		state ^= state >> 12;
		state ^= state << 25;
		state ^= state >> 27;
		*data++ = (state * 0x2545f4914f6cdd1du) >> 56;
	}
}

#define LEAST_ALIGNMENT sizeof(uint64_t)
/* Of every block, and the size of the smallest; class 4. */
#define BLOCK_ALIGNMENT 16

static size_t at_least(size_t alignment)
{
	return alignment < LEAST_ALIGNMENT ? LEAST_ALIGNMENT : alignment;
}

static size_t size_of(const void *pointer)
{
	return ((const uint64_t *)pointer)[-1];
}

static void note_heap(void)
{
	if (heap_now > heap_most) {
		heap_most = heap_now;
	}
	if (own_now > own_most) {
		own_most = own_now;
	}
}

/* A block's size is a power of two, so that to take one costs the same number of instructions each
 * time. newlib's malloc walks a list, which is longer the more the heap is fragmented: it would count
 * who allocated what before, as a device's heap does not (Zephyr's has buckets).
 */
static unsigned int class_of(size_t size)
{
	return size <= BLOCK_ALIGNMENT ? 4 : 32 - __builtin_clz(size - 1);
}

static void *take_block(unsigned int class)
{
	uint8_t *block = free_blocks[class];

	if (block != NULL) {
		memcpy(&free_blocks[class], block, sizeof(void *));
		return block;
	}
	block = heap_next;
	if ((size_t)(board_heap_end - block) >> class == 0) {
		print("error: out of memory\n");
		leave(1);
	}
	heap_next += (size_t)1 << class;
	return block;
}

static void give_block(void *block, unsigned int class)
{
	memcpy(block, &free_blocks[class], sizeof(void *));
	free_blocks[class] = block;
}

/* With room for the size in front. */
void *board_allocate(size_t size, size_t alignment)
{
	size_t front = at_least(alignment), limit = BOARD_PARAMETERS->heap_limit;
	uint8_t *block;

	if (limit != 0 && heap_now + size > limit) {
		return NULL;
	}
	block = take_block(class_of(front + size));
	if (front > BLOCK_ALIGNMENT) {
		print("error: such an alignment is not supported\n");
		leave(1);
	}
	((uint64_t *)(block + front))[-1] = size;
	heap_now += size;
	own_now += size;
	note_heap();
	return block + front;
}

void board_free(void *pointer, size_t alignment)
{
	if (pointer != NULL) {
		size_t front = at_least(alignment), size = size_of(pointer);

		heap_now -= size;
		own_now -= size;
		give_block((uint8_t *)pointer - front, class_of(front + size));
	}
}

void *board_calloc(size_t count, size_t size)
{
	void *block = board_allocate(count * size, LEAST_ALIGNMENT);

	if (block == NULL) {
		return NULL;
	}
	own_now -= count * size;
	return memset(block, 0, count * size);
}

void board_calloc_free(void *pointer)
{
	if (pointer != NULL) {
		own_now += size_of(pointer);
		board_free(pointer, LEAST_ALIGNMENT);
	}
}

/* Paints what lies below the caller's frame. */
static void __attribute__((noinline)) paint_stack(void)
{
	uint32_t *end = (uint32_t *)__builtin_frame_address(0) - 16;

	for (volatile uint32_t *word = board_stack_bottom; word < end; word++) {
		*word = PAINT;
	}
}

static size_t stack_used(void)
{
	const uint32_t *word = board_stack_bottom;

	while (*word == PAINT) {
		word++;
	}
	return stack_base - (uintptr_t)word;
}

void board_phase(const char *name)
{
	clock_pause();
	print("phase ");
	print(name);
	print_number(" ", (uint64_t)ticks * INSTRUCTIONS_PER_TICK);
	print_number(" ", heap_most);
	print_number(" ", own_most);
	print_number(" ", heap_now);
	print_number(" ", stack_used());
	print_number(" ", sent);
	print_number(" ", received);
	print("\n");
	ticks = 0;
	sent = 0;
	received = 0;
	heap_most = heap_now;
	own_most = own_now;
	paint_stack();
	clock_resume();
}

void board_say(const char *text, size_t len)
{
	char piece[2] = {0};

	while (len-- > 0) {
		piece[0] = *text++;
		print(piece);
	}
	print("\n");
}

static void fault(void)
{
	print("error: a fault\n");
	leave(1);
}

/* Names the C library's exit handlers want; nothing here exits by them. */
void _exit(int code)
{
	leave(code);
}

__attribute__((noreturn)) void board_reset(void)
{
	CPACR |= 0xf << 20; /* the floating-point unit */
	__asm__ volatile("dsb\nisb" ::: "memory");
	memcpy(board_data_start, board_data_load,
	       (uintptr_t)board_data_end - (uintptr_t)board_data_start);
	memset(board_bss_start, 0, (uintptr_t)board_bss_end - (uintptr_t)board_bss_start);
	UART_BAUDDIV = 16;
	UART_CTRL = 3;
	TIMER_RELOAD = 0xffffffff;
	TIMER_VALUE = 0xffffffff;
	TIMER_CTRL = 1;

	stack_base = (uintptr_t)__builtin_frame_address(0);
	paint_stack();
	clock_resume();
	leave(board_client() < 0 ? 1 : 0);
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
	board_stack_top, board_reset, fault, fault, fault, fault, fault, fault,
	fault,           fault,       fault, fault, fault, fault, fault, fault,
};
