// Two ends that dial each other at the same moment, each from the port it listens on: what opens two NATs. Here at two addresses of this machine.
import DIGHolePunching
import DIGMultiformats
import DIGTCP
import NIOCore
import NIOPosix

let group = MultiThreadedEventLoopGroup.singleton
let (here, there) = (try Multiaddr("/ip4/127.0.0.1/tcp/40011"), try Multiaddr("/ip4/127.0.0.2/tcp/40012"))
func punch(from local: Multiaddr, to remote: Multiaddr) async throws -> any Channel {
    try await performTCPHolePunch(
        localEndpoint: local, remoteEndpoint: remote, timeout: .seconds(5), over: TCPTransport(group: group), on: group.next()
    ) { $0.eventLoop.makeSucceededVoidFuture() }
}

async let one = punch(from: here, to: there)
async let other = punch(from: there, to: here)
for channel in try await [one, other] {
    print(channel.localAddress?.description ?? "?", "reached", channel.remoteAddress?.description ?? "?")
    channel.close(promise: nil)
}
