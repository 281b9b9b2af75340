// A second client, written with the package ws instead of this project's. It joins a
// room, answers each message of another user, and prints each frame and its end as a
// line of JSON. Settings come as JSON on standard input: url, ca (PEM), roomId, userId,
// sessionId.
import { readFileSync } from 'node:fs'
import WebSocket from 'ws'

const { url, ca, roomId, userId, sessionId } = JSON.parse(readFileSync(0, 'utf8'))
const print = (value) => process.stdout.write(JSON.stringify(value) + '\n')

const socket = new WebSocket(url, { ca, rejectUnauthorized: true })
let id = 0

socket.on('open', () => {
  print({ opened: socket.protocol, authorized: socket._socket.authorized })
  socket.send(JSON.stringify({ type: 'join', roomId, userId, sessionId }))
})

socket.on('message', (data, isBinary) => {
  const frame = JSON.parse(data)
  print({ frame, isBinary })
  if (frame.type === 'message' && frame.userId !== userId) {
    id++
    socket.send(JSON.stringify({ type: 'message', message: `you said: ${frame.message}`, id }))
  }
})

socket.on('error', (error) => {
  print({ error: error.message })
  process.exitCode = 1
})

socket.on('close', (code, reason) => print({ code, reason: reason.toString() }))
