package ws

import (
	_ "github.com/gorilla/websocket"
	_ "go.uber.org/zap"
	_ "golang.org/x/time/rate"
)
