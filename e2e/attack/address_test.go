package attack_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/e2e/harness"
)

// TestAttackAddresses forges another client address in each request, to evade limits: at
// a site without a proxy, and behind a trusted proxy, which appends to the headers of
// the client.
func TestAttackAddresses(t *testing.T) {
	count := newAttacks(t)
	const limits = "create_rate 1 1h\n\t\tjoin_rate 1 1h"
	_, alone := harness.Serve(t, "", harness.Chat(limits))
	_, behind := harness.Serve(t, "\tservers {\n\t\ttrusted_proxies static 127.0.0.0/8\n\t\ttrusted_proxies_strict\n\t}", harness.Chat(limits))
	ask := func(site *harness.API, endpoint string, header http.Header) *harness.Response {
		header.Set("Content-Type", "application/json")
		return site.Do(t, http.MethodPost, endpoint, header, strings.NewReader(`{"roomName":"n","roomId":"none"}`))
	}
	ask(alone, "/createRoom", http.Header{})
	ask(alone, "/joinRoom", http.Header{})
	for _, endpoint := range []string{"/createRoom", "/joinRoom"} {
		for _, name := range []string{
			"X-Forwarded-For", "X-Real-Ip", "Forwarded", "X-Client-Ip", "True-Client-Ip", "Cf-Connecting-Ip", "X-Cluster-Client-Ip", "X-Originating-Ip", "X-Remote-Ip",
			"X-Remote-Addr", "Fastly-Client-Ip", "X-Forwarded", "Forwarded-For", "X-Forwarded-Client-Ip", "Client-Ip", "Via", "X-Forwarded-Host", "X-Envoy-External-Address",
		} {
			for _, value := range []string{"192.0.2.77", "for=192.0.2.77", "2001:db8::77", "127.0.0.1, 192.0.2.78", "192.0.2.79, 127.0.0.1"} {
				count.refused(fmt.Sprintf("%s: %s at %s", name, value, endpoint), ask(alone, endpoint, http.Header{name: {value}}), 429, "rate_limited")
			}
		}
	}

	// The proxy appends the address that it has seen.
	const seen = "198.51.100.7"
	from := func(values ...string) http.Header { return http.Header{"X-Forwarded-For": values} }
	if got := ask(behind, "/createRoom", from(seen)); got.Status != http.StatusOK {
		t.Fatalf("the first: %d %s", got.Status, got.Body)
	}
	for _, forged := range [][]string{
		{seen},
		{"192.0.2.1, " + seen},
		{"192.0.2.2,192.0.2.3," + seen},
		{"2001:db8::1, " + seen},
		{"::ffff:192.0.2.4, " + seen},
		{"unknown, " + seen},
		{", " + seen},
		{"192.0.2.5", seen},
		{"127.0.0.1, " + seen},
		{"::ffff:" + seen},
		{"192.0.2.6, " + seen + ", 127.0.0.1"},
		{"192.0.2.6", seen + ", 127.0.0.1"},
	} {
		count.refused(fmt.Sprintf("%q", forged), ask(behind, "/createRoom", from(forged...)), 429, "rate_limited")
	}
	header := from(seen)
	header.Set("X-Real-Ip", "192.0.2.8")
	header.Set("Forwarded", "for=192.0.2.8")
	count.refused("by other headers", ask(behind, "/createRoom", header), 429, "rate_limited")
	harness.ExpectStatus(t, "another client", ask(behind, "/createRoom", from(seen+", 198.51.100.8")), http.StatusOK)

	// An IPv6 network counts as one client; an IPv4 address is the same in both
	// notations.
	ask(behind, "/createRoom", from("2001:db8:1:2::1"))
	for _, address := range []string{"2001:db8:1:2::2", "2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:DB8:1:2:0:0:0:3", "2001:0db8:0001:0002::4", "2001:db8:1:2::192.0.2.9"} {
		count.refused(address, ask(behind, "/createRoom", from(address)), 429, "rate_limited")
	}
	harness.ExpectStatus(t, "another network", ask(behind, "/createRoom", from("2001:db8:1:3::1")), http.StatusOK)
}
