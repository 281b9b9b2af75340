package ephemeralchat

// The parts of the command, so that tests need not run it.
var (
	CommandHandler = commandHandler
	CommandConfig  = commandConfig
	CommandURL     = commandURL
)
