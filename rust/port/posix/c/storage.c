/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * What is kept over restarts, and credentials by their tag: files, a folder for each.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

static int32_t failure(int error)
{
	switch (error) {
	case ENOENT:
		return TMQ_NOT_FOUND;
	case ENOSPC:
	case EDQUOT:
	case ENOMEM:
		return TMQ_STORAGE_FULL;
	default:
		return tmq_code(error);
	}
}

/* The whole file, or a code. */
static int32_t read_file(const char *path, uint8_t *buffer, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	size_t filled = 0;
	ssize_t n = 1;

	if (fd < 0) {
		return failure(errno);
	}
	if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (size_t)status.st_size > size) {
		(void)close(fd);
		return TMQ_TOO_SMALL;
	}
	while (filled < size && n > 0) {
		n = read(fd, buffer + filled, size - filled);
		if (n < 0 && errno == EINTR) {
			n = 1;
		} else if (n > 0) {
			filled += (size_t)n;
		}
	}
	if (n < 0) {
		int32_t code = failure(errno);

		(void)close(fd);
		return code;
	}
	(void)close(fd);
	return (int32_t)filled;
}

/* The folder of what is kept, with a slash behind it, and the file of a key in it; makes the folder if
 * `make`.
 */
static int32_t path_of(const char *key, char path[PATH_MAX], bool make)
{
	const char *own = tmq_environment("THREAD_MQTT_STATE_DIR");
	const char *state = tmq_environment("XDG_STATE_HOME");
	const char *home = tmq_environment("HOME");
	int length;

	if (own != NULL) {
		length = snprintf(path, PATH_MAX, "%s/", own);
	} else if (state != NULL) {
		length = snprintf(path, PATH_MAX, "%s/thread-mqtt/", state);
	} else if (home != NULL) {
		length = snprintf(path, PATH_MAX, "%s/.local/state/thread-mqtt/", home);
	} else {
		return TMQ_NOT_SUPPORTED;
	}
	if (length < 0 || (size_t)length + strlen(key) + sizeof(".new") > PATH_MAX ||
	    strchr(key, '/') != NULL) {
		return tmq_code(EINVAL);
	}
	for (char *slash = strchr(path + 1, '/'); make && slash != NULL; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(path, 0700) < 0 && errno != EEXIST) {
			return failure(errno);
		}
		*slash = '/';
	}
	strcpy(path + length, key);
	return 0;
}

int tmq_lock_session(const char *session)
{
	char name[TMQ_SESSION_SIZE + sizeof("..lock")];
	char path[PATH_MAX];
	int fd;

	(void)snprintf(name, sizeof(name), ".%s.lock", session);
	if (path_of(name, path, true) != 0) {
		return -1;
	}
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0) {
		int error = errno;

		(void)close(fd);
		return error == EWOULDBLOCK ? TMQ_SESSION_TAKEN : -1;
	}
	return fd;
}

int32_t tmq_port_store_read(const char *key, uint8_t *buffer, size_t size)
{
	char path[PATH_MAX];
	int32_t code = path_of(key, path, false);

	return code == 0 ? read_file(path, buffer, size) : code;
}

static int write_all(int fd, const uint8_t *data, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, data, length);

		if (n > 0) {
			data += n;
			length -= (size_t)n;
		} else if (errno != EINTR) {
			return -1;
		}
	}
	return fsync(fd);
}

/* What was renamed or removed in the folder of this file stays so. */
static int32_t sync_folder(const char *path)
{
	char folder[PATH_MAX];
	int32_t code = 0;
	int fd;

	(void)snprintf(folder, sizeof(folder), "%s", path);
	*strrchr(folder, '/') = '\0';
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		return failure(errno);
	}
	if (fsync(fd) < 0) {
		code = failure(errno);
	}
	(void)close(fd);
	return code;
}

/* Written beside the old file and moved over it: a value is the old one or the new one. */
int32_t tmq_port_store_write(const char *key, const uint8_t *data, size_t length)
{
	char path[PATH_MAX];
	char beside[PATH_MAX];
	int32_t code = path_of(key, path, true);
	int fd;

	if (code != 0) {
		return code;
	}
	(void)snprintf(beside, sizeof(beside), "%s", path);
	strcat(beside, ".new");
	fd = open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0) {
		return failure(errno);
	}
	if (write_all(fd, data, length) < 0) {
		code = failure(errno);
	}
	(void)close(fd);
	if (code == 0 && rename(beside, path) < 0) {
		code = failure(errno);
	}
	if (code != 0) {
		(void)unlink(beside);
		return code;
	}
	return sync_folder(path);
}

int32_t tmq_port_store_delete(const char *key)
{
	char path[PATH_MAX];
	int32_t code = path_of(key, path, false);

	if (code != 0) {
		return code;
	}
	if (unlink(path) < 0) {
		return errno == ENOENT ? 0 : failure(errno);
	}
	return sync_folder(path);
}

/* Hands the content of a file on. */
static int32_t hand_file(const char *path, const char *key,
			 void (*found)(void *context, const char *key, const uint8_t *data,
				       size_t length),
			 void *context)
{
	struct stat status;
	uint8_t *data;
	int32_t result;

	if (stat(path, &status) < 0) {
		return failure(errno);
	}
	/* One byte more, for malloc(0) may be NULL. */
	data = malloc((size_t)status.st_size + 1);
	if (data == NULL) {
		return tmq_code(ENOMEM);
	}
	result = read_file(path, data, (size_t)status.st_size + 1);
	if (result >= 0) {
		found(context, key, data, (size_t)result);
		result = 0;
	}
	free(data);
	return result;
}

int32_t tmq_port_store_each(const char *prefix,
			    void (*found)(void *context, const char *key, const uint8_t *data,
					  size_t length),
			    void *context)
{
	char path[PATH_MAX];
	int32_t code = path_of("", path, false);
	size_t length;
	struct dirent *entry;
	DIR *folder;

	if (code != 0) {
		return code;
	}
	length = strlen(path);
	folder = opendir(path);
	if (folder == NULL) {
		return errno == ENOENT ? 0 : failure(errno);
	}
	while (code == 0 && (entry = readdir(folder)) != NULL) {
		const char *end = strrchr(entry->d_name, '.');

		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0 ||
		    (end != NULL && strcmp(end, ".new") == 0)) {
			continue;
		}
		if (length + strlen(entry->d_name) >= sizeof(path)) {
			code = tmq_code(ENAMETOOLONG);
			break;
		}
		strcpy(path + length, entry->d_name);
		code = hand_file(path, entry->d_name, found, context);
	}
	(void)closedir(folder);
	return code;
}

int32_t tmq_port_credential(int32_t tag, uint8_t kind, uint8_t *buffer, size_t size)
{
	static const char *const names[] = {
		[TMQ_CREDENTIAL_CA] = "ca",
		[TMQ_CREDENTIAL_CERTIFICATE] = "certificate",
		[TMQ_CREDENTIAL_KEY] = "key",
	};
	const char *directory = tmq_environment("THREAD_MQTT_CREDENTIALS");
	char path[PATH_MAX];
	int length;

	if (directory == NULL) {
		return TMQ_NOT_SUPPORTED;
	}
	if (kind >= sizeof(names) / sizeof(names[0])) {
		return tmq_code(EINVAL);
	}
	length = snprintf(path, sizeof(path), "%s/%d/%s", directory, (int)tag, names[kind]);
	if (length < 0 || (size_t)length >= sizeof(path)) {
		return tmq_code(ENAMETOOLONG);
	}
	return read_file(path, buffer, size);
}
