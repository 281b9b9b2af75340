//go:build !unix

package ws

import (
	"net"
	"syscall"
)

// rawSocket returns nil: each connection has a goroutine for its writes.
func rawSocket(net.Conn) syscall.RawConn { return nil }

// writeSocket is never called.
func writeSocket(uintptr, []byte) (int, error) { return 0, nil }
