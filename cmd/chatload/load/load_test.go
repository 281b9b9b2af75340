package load_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/ephemeralchat/caddy-ephemeral-chat/cmd/chatload/load"
)

// run runs the load tool and returns its result.
func run(t *testing.T, url, flags string) *load.Result {
	t.Helper()
	o, err := load.ParseOptions("chatload", append(strings.Fields(flags), "-url", url), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	result, err := load.Run(t.Context(), o, load.EphemeralChat{}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

func TestAtRate(t *testing.T) {
	t.Parallel()
	result := run(t, new(chat).start(t), "-rooms 3 -members 4 -rate 50 -warmup 100ms -duration 1s -pid chat="+strconv.Itoa(os.Getpid()))
	if !result.Faultless() {
		t.Errorf("there are faults: %+v", result)
	}
	if result.Rooms != 3 || result.Connections != 12 {
		t.Errorf("%d connections in %d rooms, want 12 in 3", result.Connections, result.Rooms)
	}
	// 150, give or take those in flight at both ends.
	if result.Posts < 120 || result.Posts > 180 {
		t.Errorf("%d posts in a second, want 150", result.Posts)
	}
	if result.Deliveries < 4*120 || result.Deliveries > 4*180 {
		t.Errorf("%d deliveries in a second, want 600", result.Deliveries)
	}
	if l := result.Latency; l.P50 <= 0 || l.P99 < l.P50 || l.Max < l.P99 {
		t.Errorf("the latency is %s", l)
	}
	if result.MessagesPerRead < 1 {
		t.Errorf("%v messages in a read", result.MessagesPerRead)
	}
	if len(result.CPU) != 1 || result.CPU[0].Process != "chat" || len(result.Memory) != 1 || result.Memory[0].Connected == 0 {
		t.Errorf("CPU %+v, memory %+v", result.CPU, result.Memory)
	}
}

func TestInFlight(t *testing.T) {
	t.Parallel()
	url := new(chat).start(t)
	result := run(t, url, "-rooms 2 -members 3 -flight 2 -warmup 50ms -duration 300ms -fill 40")
	if !result.Faultless() {
		t.Errorf("there are faults: %+v", result)
	}
	if result.Posts < 20 {
		t.Errorf("%d posts in 300 ms", result.Posts)
	}
	if difference := int64(result.Posts)*3 - int64(result.Deliveries); difference < -12 || difference > 12 {
		t.Errorf("%d posts to 3 members, but %d deliveries", result.Posts, result.Deliveries)
	}
}

// TestOneAtATime checks that a message is sent only when the previous one has arrived.
func TestOneAtATime(t *testing.T) {
	t.Parallel()
	site := new(chat)
	url := site.start(t)
	result := run(t, url, "-ping -warmup 10ms -duration 200ms")
	if !result.Faultless() || result.Posts == 0 || result.Latency.P50 == 0 {
		t.Errorf("got %+v", result)
	}
}

func TestFaultsAreFound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		site *chat
		want load.Result
	}{
		{"lost", &chat{fault: func(conn int, seq uint64) []uint64 {
			if conn == 1 && seq == 5 {
				return nil
			}
			return []uint64{seq}
		}}, load.Result{Lost: 1}},
		{"doubled", &chat{fault: func(conn int, seq uint64) []uint64 {
			if conn == 2 && seq == 5 {
				return []uint64{5, 5}
			}
			return []uint64{seq}
		}}, load.Result{Duplicated: 1}},
		{"reordered", &chat{fault: func(conn int, seq uint64) []uint64 {
			switch {
			case conn == 0 && seq == 5:
				return nil
			case conn == 0 && seq == 6:
				return []uint64{6, 5}
			}
			return []uint64{seq}
		}}, load.Result{Reordered: 1}},
		{"refused", &chat{refuse: 5}, load.Result{Refused: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got := run(t, test.site.start(t), "-members 3 -rate 50 -warmup 0s -duration 500ms")
			if got.Lost != test.want.Lost || got.Duplicated != test.want.Duplicated ||
				got.Reordered != test.want.Reordered || got.Refused != test.want.Refused || got.Disconnected != 0 {
				t.Errorf("%d lost, %d doubled, %d reordered, %d refused, %d disconnected; want %d, %d, %d, %d, 0",
					got.Lost, got.Duplicated, got.Reordered, got.Refused, got.Disconnected,
					test.want.Lost, test.want.Duplicated, test.want.Reordered, test.want.Refused)
			}
			if got.Faultless() {
				t.Error("it counts as faultless")
			}
		})
	}
}

func TestDisconnectionIsFound(t *testing.T) {
	t.Parallel()
	got := run(t, (&chat{hangUp: 5}).start(t), "-members 3 -rate 50 -warmup 0s -duration 500ms")
	if got.Disconnected != 1 || !strings.Contains(got.DisconnectedBy, `4503 "too_slow"`) {
		t.Errorf("%d disconnected, by %q", got.Disconnected, got.DisconnectedBy)
	}
	if got.Lost == 0 {
		t.Error("the messages that the disconnected member missed are not lost")
	}
}

func TestStalledMembersAreNotLosses(t *testing.T) {
	t.Parallel()
	got := run(t, new(chat).start(t), "-members 10 -stall 0.2 -rate 50 -warmup 0s -duration 300ms")
	if got.Stalled != 2 || !got.Faultless() {
		t.Errorf("got %+v", got)
	}
	if want := float64(got.Posts) * 8; float64(got.Deliveries) > want+16 || float64(got.Deliveries) < want-16 {
		t.Errorf("%d deliveries of %d posts, want 8 of each", got.Deliveries, got.Posts)
	}
}

func TestIdleAndStorm(t *testing.T) {
	t.Parallel()
	pid := " -pid " + strconv.Itoa(os.Getpid())
	idle := run(t, new(chat).start(t), "-idle 25 -members 10 -duration 100ms -settle 1s"+pid)
	if idle.Rooms != 3 || idle.Connections != 25 || !idle.Faultless() || idle.Joins == nil {
		t.Errorf("got %+v", idle)
	}
	if m := idle.Memory; len(m) != 1 || m[0].Before == 0 || m[0].Connected == 0 || m[0].Left == 0 {
		t.Errorf("memory %+v", m)
	}
	storm := run(t, new(chat).start(t), "-storm 25 -members 10"+pid)
	if storm.Connections != 25 || storm.Joins == nil || storm.Joins.PerSecond <= 0 || storm.Joins.Latency.P50 <= 0 {
		t.Errorf("got %+v", storm)
	}
}

// TestErrorsNameTheRemedy checks the errors for limits of the site that the load
// exceeds, and for a wrong URL.
func TestErrorsNameTheRemedy(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		site *chat
		path string
		want string
	}{
		{&chat{status: http.StatusTooManyRequests, code: "rate_limited"}, "", "set join_rate"},
		{&chat{status: http.StatusConflict, code: "room_full"}, "", "set max_members"},
		{new(chat), "/elsewhere", "where the chat is mounted"},
	} {
		var stdout, stderr bytes.Buffer
		status := load.Main("chatload", []string{"-url", test.site.start(t) + test.path, "-members", "2"}, load.EphemeralChat{}, &stdout, &stderr)
		if status != 1 || !strings.Contains(stderr.String(), test.want) {
			t.Errorf("status %d and %q, want 1 and %q", status, stderr.String(), test.want)
		}
	}
}

func TestMainReports(t *testing.T) {
	t.Parallel()
	faulty := &chat{fault: func(conn int, seq uint64) []uint64 {
		if conn == 1 && seq == 2 {
			return []uint64{2, 2}
		}
		return []uint64{seq}
	}}
	var stdout, stderr bytes.Buffer
	flags := []string{"-url", faulty.start(t), "-members", "2", "-rate", "50", "-warmup", "0s", "-duration", "200ms"}
	if status := load.Main("chatload", flags, load.EphemeralChat{}, &stdout, &stderr); status != 1 {
		t.Errorf("status %d with a fault, want 1", status)
	}
	if !strings.Contains(stdout.String(), "0 lost, 1 doubled") {
		t.Errorf("it printed:\n%s", stdout.String())
	}
	stdout.Reset()
	flags[1] = new(chat).start(t)
	if status := load.Main("chatload", append(flags, "-json"), load.EphemeralChat{}, &stdout, &stderr); status != 0 {
		t.Errorf("status %d, want 0: %s", status, stderr.String())
	}
	var result load.Result
	if err := json.Unmarshal(stdout.Bytes(), &result); err != nil || result.Posts == 0 {
		t.Errorf("%+v, %v", result, err)
	}
	if status := load.Main("chatload", []string{"-rooms", "0"}, load.EphemeralChat{}, &stdout, &stderr); status != 2 {
		t.Errorf("status %d for invalid flags, want 2", status)
	}
	if status := load.Main("chatload", []string{"-help"}, load.EphemeralChat{}, &stdout, &stderr); status != 0 {
		t.Errorf("status %d for help, want 0", status)
	}
}
