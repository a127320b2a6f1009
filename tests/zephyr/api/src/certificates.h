/*
 * Copyright (c) 2026 The thread-mqtt authors
 * SPDX-License-Identifier: MIT OR Apache-2.0
 *
 * A certificate with its key, and another key. They protect nothing. Created with:
 * openssl ecparam -name prime256v1 -genkey -noout
 * openssl req -x509 -new -key KEY -subj "/CN=thread-mqtt test" -days 36500
 */
#ifndef CERTIFICATES_H_
#define CERTIFICATES_H_

static const char certificate[] =
	"-----BEGIN CERTIFICATE-----\n"
	"MIIBjjCCATOgAwIBAgIUBzSG8XinuIj37o1BkecbnsdOR3QwCgYIKoZIzj0EAwIw\n"
	"GzEZMBcGA1UEAwwQdGhyZWFkLW1xdHQgdGVzdDAgFw0yNjExMjUwMjAxMzlaGA8y\n"
	"MTI2MTEwMTAyMDEzOVowGzEZMBcGA1UEAwwQdGhyZWFkLW1xdHQgdGVzdDBZMBMG\n"
	"ByqGSM49AgEGCCqGSM49AwEHA0IABDoIMN9cwco/+rneK9SjxYahszh6L99m/ksb\n"
	"5DmJGyre8POAeDe5RU4cSeVP6i/OyCIGwZ7L6d2pIQhTjImh1GijUzBRMB0GA1Ud\n"
	"DgQWBBSOrgCPBQXMn57MPG+GRsVkY0sOmTAfBgNVHSMEGDAWgBSOrgCPBQXMn57M\n"
	"PG+GRsVkY0sOmTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0kAMEYCIQDq\n"
	"KRk89aOY3eSJfhtTu1oaZ7UvvBoTHGyfybGlTu4DZwIhAMC9DymEgN+83B60mR/G\n"
	"nzIZXRk10tVRHzaC1sQnrYpU\n"
	"-----END CERTIFICATE-----\n";

static const char key[] =
	"-----BEGIN EC PRIVATE KEY-----\n"
	"MHcCAQEEIBQWPnaiODSu4aYVy6R+nmbQAkaJtkqFTZkyD43jBDG4oAoGCCqGSM49\n"
	"AwEHoUQDQgAEOggw31zByj/6ud4r1KPFhqGzOHov32b+SxvkOYkbKt7w84B4N7lF\n"
	"ThxJ5U/qL87IIgbBnsvp3akhCFOMiaHUaA==\n"
	"-----END EC PRIVATE KEY-----\n";

static const char other_key[] =
	"-----BEGIN EC PRIVATE KEY-----\n"
	"MHcCAQEEIPnzdEF5fq6RfM46y308Z0b2hGK3WAc9QbOH8t0jTVKaoAoGCCqGSM49\n"
	"AwEHoUQDQgAEWP52QDoPpxFNx9H5Gm17ETvZWC7RKViwaKFoVxUchHTJ1EtDPG2a\n"
	"mVkmceTqrZlXHWOgnV1MZ5yexqwhtW19gg==\n"
	"-----END EC PRIVATE KEY-----\n";

#endif /* CERTIFICATES_H_ */
