// Asks a STUN server, by default one of its own on loopback, for this machine's address as the world sees it, and what NAT there is.
import DIGSTUN
import DIGUDP
import NIOPosix

let group = MultiThreadedEventLoopGroup.singleton
let served = try await UDPEndpoint.bind(group: group)
let server = STUNServer()
server.serve(served)
let name = CommandLine.arguments.dropFirst().first ?? "stun:127.0.0.1:\(served.port(for: .inet) ?? 0)"

let endpoint = try await UDPEndpoint.bind(group: group)
let address = try STUNServerAddress(name)
let client = STUNClient(endpoint: endpoint)
let binding = try await client.binding(from: address)
print("seen as", binding.mapped, "after", binding.roundTripTime)

// Mapping and filtering, each with every question asked; several servers, or one with two addresses, tell more.
let behavior = try await NATBehaviorDiscovery(endpoint: endpoint).run(servers: [address])
print(behavior.type, "mapping:", behavior.mapping, "filtering:", behavior.filtering)
for evidence in behavior.evidence { print("  ", evidence) }
await endpoint.close()
await served.close()
