package suite

// Scenario is a load.
type Scenario struct {
	Name  string // as in -only
	Title string
	args  []string // of the load tool
	tls   bool
	// without are targets that it makes no sense for, by name.
	without []string
	// memory says that memory is what it is about, rather than deliveries.
	memory bool
}

// Scenarios are all of them.
func Scenarios() []Scenario {
	// A floor waits for a client that does not read, with everybody behind it.
	helpless := []string{"direct", "paced"}
	return []Scenario{
		{Name: "big", Title: "1 room × 1,000, 100 messages/s", args: []string{"-members", "1000", "-rate", "100"}},
		{Name: "many", Title: "200 rooms × 5, 4 messages under way in each", args: []string{"-rooms", "200", "-members", "5", "-flight", "4"}},
		{Name: "flat", Title: "1 room × 100, 32 messages under way", args: []string{"-members", "100", "-flight", "32"}},
		{Name: "ping", Title: "1 room × 2, one message at a time", args: []string{"-ping"}},
		{Name: "stalled", Title: "1 room × 1,000, 100 messages/s, 5 % do not read", args: []string{"-members", "1000", "-rate", "100", "-stall", "0.05"}, without: helpless},
		{Name: "idle", Title: "10,000 idle connections", args: []string{"-idle", "10000", "-members", "100", "-duration", "1s"}, memory: true},
		{Name: "idle-tls", Title: "10,000 idle connections, TLS", args: []string{"-idle", "10000", "-members", "100", "-duration", "1s"}, memory: true, tls: true},
	}
}
