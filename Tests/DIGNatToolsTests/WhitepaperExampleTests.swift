import DIGContent
import DIGTransfer
import DIGMultiformats
import DIGNatTools
import DIGSwarm
import Foundation
import Logging
import Synchronization
import Testing

/// The whitepaper's complete example (section 13), host and client in one process.
@Suite("Whitepaper example", .timeLimit(.minutes(1)))
struct WhitepaperExampleTests {
    @Test("a host shares its directory and a file with a content id; a client fetches by hash from named peers, with progress to exactly 1")
    func hostAndClient() async throws {
        let directory = try TemporaryDirectory()
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        try directory.write("shared-files/readme.txt", byteCount: 10)
        let video = try directory.write("my-video.mp4", byteCount: 700_000)

        var hosting = FileHostConfiguration(directory: directory.file("shared-files"))
        #expect(hosting.port == 8080)
        hosting.port = 0
        hosting.localEnabled = false
        hosting.discovery = .off
        let host = try FileHost(configuration: hosting, logger: logger)
        try await host.start()
        let info = try await host.addFile(video, contentID: "my-video")
        #expect(try await Set(host.contents.map(\.name)) == ["readme.txt", "my-video.mp4"])

        var fetching = FileClientConfiguration(downloadDirectory: directory.file("downloads"))
        fetching.localEnabled = false
        fetching.discovery = .off
        let client = try FileClient(configuration: fetching, logger: logger)
        try await client.start()

        let fractions = Mutex<[Double]>([])
        let path = directory.file("downloads/video.mp4")
        var options = FetchOptions()
        options.scheduling.concurrency = 5
        await host.waitForSHA256()
        options.verificationHash = try #require(try await host.contents(matching: "my-video").first?.sha256)
        let result = try await client.downloadFile(
            fromPeers: host.network.addresses, info.contentHash.description, to: path, options: options
        ) { progress in fractions.withLock { $0.append(progress.fraction) } }

        #expect(result.path == path)
        #expect(result.sha256 == options.verificationHash)
        #expect(FileManager.default.contentsEqual(atPath: path, andPath: video))
        let seen = fractions.withLock { $0 }
        #expect(seen == seen.sorted())
        #expect(seen.last == 1)

        try await host.removeFile(info.contentHash)
        #expect(try await host.contents.map(\.name) == ["readme.txt"])
        await client.stop()
        await host.stop()
    }

    @Test("a file that changed on disk is not served under its old hash, and the host is told")
    func changedFile() async throws {
        let holder = try await TestNode.started()
        let receiver = try await TestNode.started()
        let source = try holder.directory.write("film.bin", byteCount: 100_000)
        let host = FileHost(network: holder.network)
        let content = try await host.addFile(source)
        let link = try content.link(addresses: holder.network.addresses)
        try holder.directory.write("film.bin", byteCount: 100_000, seed: 2)

        var options = FetchOptions()
        options.searchTimeout = .seconds(20)
        // Not before the holder has been asked, also where the machine has other things to do.
        options.scheduling.holderTimeout = .seconds(5)
        await #expect(throws: (any Error).self) {
            try await FileClient(network: receiver.network).fetch(.link(link), to: .directory(receiver.directory.path), options: options).result()
        }
        #expect(!FileManager.default.fileExists(atPath: receiver.directory.file("film.bin")))
        var events = host.events.makeAsyncIterator()
        while let event = await events.next() {
            if case .contentChanged(content.contentHash) = event { break }
        }
        await holder.network.stop()
        await receiver.network.stop()
    }

    @Test("the private key never leaves: a node's data directory is left out of folders and refused by itself")
    func privateData() async throws {
        let holder = try await TestNode.started()
        try holder.directory.write("film.bin", byteCount: 10)
        let host = FileHost(network: holder.network)
        let folder = try await host.addFile(holder.directory.path)
        #expect(folder.fileCount == 1)
        for path in [holder.directory.file("node"), holder.directory.file("node/identity.key")] {
            await #expect(throws: ContentError(.unsafePath, "")) { try await host.addFile(path) }
        }
        await holder.network.stop()
    }

    @Test("a second transfer reuses the one connection: both ends count one in all (PRF-05)")
    func pooling() async throws {
        let holder = try await TestNode.started()
        let receiver = try await TestNode.started()
        let ends = [holder, receiver].map { node in ConnectionCount(of: node.network.swarm) }
        let host = FileHost(network: holder.network)
        let client = FileClient(network: receiver.network)
        for index in 0..<3 {
            let source = try holder.directory.write("\(index).bin", byteCount: 50_000, seed: UInt64(index + 1))
            let link = try await host.addFile(source).link(addresses: holder.network.addresses)
            _ = try await client.fetch(.link(link), to: .directory(receiver.directory.path)).result()
            #expect(holder.network.swarm.statistics.openConnections == 1)
            #expect(receiver.network.swarm.statistics.openConnections == 1)
        }
        await holder.network.stop()
        await receiver.network.stop()
        for end in ends { #expect(await end.total == 1) }
    }
}

/// Counts the connections of a swarm until it is shut down. Each peer's first one is reported, so one that was closed and made again counts twice.
private struct ConnectionCount {
    private let task: Task<Int, Never>

    init(of swarm: Swarm) {
        let events = swarm.events
        self.task = Task {
            var count = 0
            for await case .connected in events { count += 1 }
            return count
        }
    }

    var total: Int { get async { await self.task.value } }
}
