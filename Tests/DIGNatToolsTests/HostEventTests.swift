import DIGContent
import DIGNatTools
import Testing

@Suite("Host events", .timeLimit(.minutes(1)))
struct HostEventTests {
    @Test("every reader has all events, also those before it came, and ends when the network stops")
    func severalReaders() async throws {
        let holder = try await TestNode.started()
        let host = FileHost(network: holder.network)
        async let early = Self.hashes(of: host.events)
        let content = try await host.addFile(try holder.directory.write("film.bin", byteCount: 1000))
        await host.waitForSHA256()
        async let late = Self.hashes(of: FileHost(network: holder.network).events)
        async let later = Self.hashes(of: host.events)
        await holder.network.stop()
        #expect(await [early, late, later] == [[content.contentHash], [content.contentHash], [content.contentHash]])
        #expect(await Self.hashes(of: host.events) == [content.contentHash])
    }

    static func hashes(of events: AsyncStream<HostEvent>) async -> [ContentHash] {
        var hashes: [ContentHash] = []
        for await case .sha256Computed(let hash, _) in events { hashes.append(hash) }
        return hashes
    }
}
