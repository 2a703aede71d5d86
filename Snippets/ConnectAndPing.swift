// Two libp2p nodes on loopback: connects, pings, and opens a stream of a protocol of one's own.
import DIGIdentity
import DIGMultiformats
import DIGNet
import DIGSwarm
import DIGTCP
import Logging
import NIOCore
import NIOPosix

let group = MultiThreadedEventLoopGroup.singleton
let logger = Logger(label: "snippet")
func makeSwarm() throws -> Swarm {
    Swarm(identity: try KeyPair.generate(), transports: [TCPTransport(group: group)], group: group, logger: logger)
}

let server = try makeSwarm()
server.register("/example/hello/1.0.0") { stream, connection in
    stream.writeAndFlush(ByteBuffer(string: "hello, \(connection.remotePeer)\n"), promise: nil)
    return stream.eventLoop.makeSucceededVoidFuture()
}
let addresses = try await server.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")])

let client = try makeSwarm()
let connection = try await client.connect(to: server.localPeer, addresses: addresses)
print("round trip:", try await client.ping(server.localPeer))
let stream = try await connection.openStream(speaking: ["/example/hello/1.0.0"]) { stream, id in
    print("speaks", id)
    return stream.eventLoop.makeSucceededVoidFuture()
}
stream.close(promise: nil)
await client.shutdown()
await server.shutdown()
