import DIGAnnouncement
import DIGAvailability
import DIGContent
import DIGGun
import DIGNatTools
import DIGTransfer
import Foundation
import Logging
import NIOPosix
import Synchronization
import Testing

/// The whitepaper's full file transfer system (section 13), line by line: host and client meet through a GUN relay alone, and the client filters whom it
/// finds by availability.
@Suite("Whitepaper system", .timeLimit(.minutes(2)))
struct WhitepaperSystemTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    /// `Gun({peers: [relay]})`, and the DHT and peer exchange beside it, among loopback addresses.
    private func discovery(over relay: GunURL) throws -> NodeDiscoveryConfiguration {
        var discovery = try NodeDiscoveryConfiguration.privateNetwork("section-13")
        discovery.gunEnabled = true
        discovery.gun?.relays = [.init(relay)]
        return discovery
    }

    @Test("host, availability, client and integration: announced, found by name, filtered, downloaded, credited, withdrawn")
    func system() async throws {
        let directory = try TemporaryDirectory()
        var serving = GunPeerConfiguration()
        serving.listen = [GunListenAddress(host: "127.0.0.1", port: 0)]
        let relay = GunPeer(configuration: serving, group: MultiThreadedEventLoopGroup.singleton, logger: self.logger)
        let relaying = Task { try await relay.run() }
        while relay.status.listening.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        let url = try #require(relay.status.listening.first)
        try directory.write("shared-files/readme.txt", byteCount: 10)
        let video = try directory.write("my-video.mp4", byteCount: 700_000)

        // File host set-up.
        var hosting = FileHostConfiguration(directory: directory.file("shared-files"))
        hosting.port = 0
        hosting.localEnabled = false
        hosting.discovery = try self.discovery(over: url)
        let host = try FileHost(configuration: hosting, logger: self.logger)
        try await host.start()
        let hostContentManager = host.network.availability
        #expect(hostContentManager.configuration.contentLifetime == .seconds(3600) && hostContentManager.configuration.reannounceInterval == .seconds(1800))
        let fileInfo = try await host.addFile(video, contentID: "my-awesome-video", announceLevel: .high)
        try await hostContentManager.announceContentAvailable(fileInfo.contentHash, port: 8080, contentID: "my-awesome-video")

        // File client set-up.
        var fetching = FileClientConfiguration(downloadDirectory: directory.file("downloads"))
        fetching.localEnabled = false
        fetching.discovery = try self.discovery(over: url)
        let client = try FileClient(configuration: fetching, logger: self.logger)
        try await client.start()
        let found = client.network.discovery
        let clientIntegration = DiscoveryContentIntegration(
            availability: client.network.availability, identity: client.network.identity, addresses: { [] }, logger: self.logger)
        clientIntegration.registerDHTClient(try #require(found.dht))
        clientIntegration.registerPEXManager(try #require(found.peerExchange))
        clientIntegration.registerGunDiscovery(try #require(found.gunDiscovery), peer: try #require(found.gun))
        clientIntegration.start()

        let contentHash = try await client.contentHash(for: .name("my-awesome-video"))
        #expect(contentHash == fileInfo.contentHash)
        var allPeers: [PeerID] = []
        while allPeers.isEmpty { allPeers = await client.findPeers(contentHash, limit: 1) }
        let holder = host.network.identity.peerID
        #expect(allPeers == [holder])
        let validPeers = clientIntegration.filterPeersByContentStatus(allPeers, contentHash)
        #expect(validPeers == allPeers)

        let fractions = Mutex<[Double]>([])
        var options = FetchOptions()
        options.scheduling.concurrency = 5
        await host.waitForSHA256()
        options.verificationHash = try #require(try await host.contents(matching: "my-awesome-video").first?.sha256)
        let path = directory.file("downloads/downloaded-video.mp4")
        try await client.downloadFile("\(contentHash)", to: path, options: options) { progress in fractions.withLock { $0.append(progress.fraction) } }
        #expect(FileManager.default.contentsEqual(atPath: path, andPath: video))
        #expect(fractions.withLock { $0.last } == 1)

        let before = client.network.availability.reputation(of: holder).success
        clientIntegration.updatePeerReputation(validPeers[0], true)
        #expect(client.network.availability.reputation(of: holder).success > before)

        // "If download fails due to missing content", "when host stops sharing".
        try await clientIntegration.reportContentUnavailable(validPeers[0], contentHash)
        #expect(clientIntegration.filterPeersByContentStatus(allPeers, contentHash).isEmpty)
        try await hostContentManager.announceContentUnavailable(fileInfo.contentHash, contentID: "my-awesome-video")

        clientIntegration.stop()
        await client.stop()
        await host.stop()
        relaying.cancel()
        _ = await relaying.result
    }
}
