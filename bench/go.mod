module github.com/ephemeralchat/caddy-ephemeral-chat/bench

go 1.26.0

require (
	github.com/ephemeralchat/caddy-ephemeral-chat v0.0.0
	github.com/gorilla/websocket v1.5.3
	go.uber.org/goleak v1.3.0
)

replace github.com/ephemeralchat/caddy-ephemeral-chat => ../
