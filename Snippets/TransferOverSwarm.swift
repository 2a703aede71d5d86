// Moves one verified file between two libp2p nodes with the transfer protocol alone: no database, no discovery.
import DIGContent
import DIGIdentity
import DIGMultiformats
import DIGSwarm
import DIGTCP
import DIGTransfer
import Foundation
import Logging
import NIOPosix

/// Serves one file that was hashed before.
struct OneFile: ContentProvider {
    let path: String
    let file: HashedFile

    func content(for hash: ContentHash) async -> HostedContent? {
        guard hash == self.file.descriptor.contentHash else { return nil }
        return .file(
            HostedFile(
                descriptor: self.file.descriptor, chunkLayer: self.file.layout.layer, path: self.path, stamp: self.file.stamp, hashes: self.file.chunkLayer))
    }

    func bindings(for key: BindingKey) async -> [SignedEnvelope] { [] }
    func contentChanged(_ hash: ContentHash) async {}
}

let group = MultiThreadedEventLoopGroup.singleton
let logger = Logger(label: "snippet")
let directory = FileManager.default.temporaryDirectory.appendingPathComponent("dig-transfer-\(UUID().uuidString)").path
try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
let source = directory + "/source.bin"
try Data(repeating: 7, count: 1_000_000).write(to: URL(fileURLWithPath: source))
let file = try await FileHasher().hash(fileAt: source)

let server = Swarm(identity: try KeyPair.generate(), transports: [TCPTransport(group: group)], group: group, logger: logger)
TransferHost(provider: OneFile(path: source, file: file), threadPool: .singleton, logger: logger).register(on: server)
let addresses = try await server.listen(on: [Multiaddr("/ip4/127.0.0.1/tcp/0")])

let client = Swarm(identity: try KeyPair.generate(), transports: [TCPTransport(group: group)], group: group, logger: logger)
let connection = try await client.connect(to: server.localPeer, addresses: addresses)
let download = FileDownload(
    file.descriptor.contentHash, to: try DownloadDestination(directory: directory, name: "copy.bin"), store: MemoryTransferStore(),
    eventLoop: connection.eventLoop, threadPool: .singleton, logger: logger)
download.add(connection)
let result = try await download.run()
print("fetched and verified \(result.descriptor.size) bytes")

await client.shutdown()
await server.shutdown()
try FileManager.default.removeItem(atPath: directory)
