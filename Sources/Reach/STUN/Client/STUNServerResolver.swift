import DIGTCP
import NIOCore

enum STUNServerResolver {
    /// The first IPv4 and the first IPv6 address of a server, in the system's order.
    ///
    /// - Throws: ``STUNError`` with `.unresolved`.
    static func resolve(_ server: STUNServerAddress) async throws -> [SocketAddress] {
        if let address = try? SocketAddress(ipAddress: server.host, port: Int(server.port)) { return [address] }
        let found: [SocketAddress]
        do { found = try await HostResolver.resolve(server.host, family: .any) } catch let error as HostResolutionError {
            throw STUNError(.unresolved, "\(error)")
        }
        var addresses: [SocketAddress] = []
        for var address in found where !addresses.contains(where: { $0.protocol == address.protocol }) {
            address.port = Int(server.port)
            addresses.append(address)
        }
        return addresses
    }
}
