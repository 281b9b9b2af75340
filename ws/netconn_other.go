//go:build !unix

package ws

import (
	"net"
	"syscall"
)

// rawSocket returns nil: every connection is written to by a goroutine, which may
// wait.
func rawSocket(net.Conn) syscall.RawConn { return nil }

// writeSocket is never called.
func writeSocket(uintptr, []byte) (int, error) { return 0, nil }
