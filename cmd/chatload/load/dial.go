package load

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// dialTimeout bounds a connection's opening, including the upgrade, and a request.
const dialTimeout = 30 * time.Second

var errUpgrade = errors.New("load: the server does not upgrade to a WebSocket")

// dial opens a WebSocket and returns the connection below it. A server sends nothing
// before the first frame of a member, so no bytes follow its answer to the upgrade.
func dial(ctx context.Context, address string, config *tls.Config) (net.Conn, error) {
	dialer := websocket.Dialer{TLSClientConfig: config, HandshakeTimeout: dialTimeout}
	ws, answer, err := dialer.DialContext(ctx, "ws"+strings.TrimPrefix(address, "http"), nil)
	switch {
	case errors.Is(err, websocket.ErrBadHandshake):
		return nil, fmt.Errorf("%w: %w: %q", errUpgrade, err, answer.Status)
	case err != nil:
		return nil, fmt.Errorf("load: %w", err)
	}
	return ws.NetConn(), nil
}
