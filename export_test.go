package ephemeralchat

// The parts of the command, so that tests need not run it.
var (
	CommandHandler = commandHandler
	CommandConfig  = commandConfig
	CommandURL     = commandURL
)

// WithDefaults returns a handler with the memory store whose options are the defaults.
func WithDefaults() *Handler {
	h := &Handler{store: new(MemoryStore)}
	h.setDefaults()
	return h
}
