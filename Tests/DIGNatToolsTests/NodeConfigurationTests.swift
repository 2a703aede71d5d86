import DIGContent
import DIGNatTools
import Testing

@Suite("Node configuration", .timeLimit(.minutes(1)))
struct NodeConfigurationTests {
    @Test("rates and the connection limit are those of the parts")
    func parts() {
        var configuration = NodeConfiguration(dataDirectory: "/x")
        #expect(configuration.maximumConnectionCount == 200)
        #expect(configuration.uploadRate == nil)
        configuration.maximumConnectionCount = 7
        configuration.uploadRate = 1000
        #expect(configuration.swarm.maximumConnections == 7)
        #expect(configuration.transferHost.uploadBytesPerSecond == 1000)
    }

    @Test("a node whose host takes no sessions serves nobody; with one it does (HST-17)", arguments: [0, 1])
    func hostLimit(sessionCount: Int) async throws {
        let holder = try await TestNode.started { $0.transferHost.maximumSessionCount = sessionCount }
        let receiver = try await TestNode.started()
        let content = try await FileHost(network: holder.network).addFile(try holder.directory.write("film.bin", byteCount: 100_000))
        var options = FetchOptions()
        options.searchTimeout = .seconds(5)
        options.scheduling.holderTimeout = .milliseconds(200)
        let fetch = FileClient(network: receiver.network)
            .fetch(.link(try content.link(addresses: holder.network.addresses)), to: .directory(receiver.directory.path), options: options)
        if sessionCount == 0 {
            await #expect(throws: TransferError(.noHolders, "")) { try await fetch.result() }
            #expect(holder.network.transferHost.statistics().refusedSessionCount > 0)
        } else {
            #expect(try await fetch.result().byteCount == 100_000)
        }
        await holder.network.stop()
        await receiver.network.stop()
    }

    @Test("a fetch in chunks of the size chosen, and a size that does not exist", arguments: [16_384, 1 << 20, 100_000])
    func chunkSize(byteCount: Int) async throws {
        let holder = try await TestNode.started()
        let receiver = try await TestNode.started()
        let content = try await FileHost(network: holder.network).addFile(try holder.directory.write("film.bin", byteCount: 3_000_000))
        var options = FetchOptions()
        options.chunkByteCount = byteCount
        let fetch = FileClient(network: receiver.network)
            .fetch(.link(try content.link(addresses: holder.network.addresses)), to: .directory(receiver.directory.path), options: options)
        if byteCount == 100_000 {
            await #expect(throws: TransferError(.invalidOption, "")) { try await fetch.result() }
        } else {
            #expect(try await fetch.result().byteCount == 3_000_000)
            let chunkCount = holder.network.transferHost.statistics().chunkCount
            #expect(chunkCount == UInt64((3_000_000 + byteCount - 1) / byteCount))
        }
        await holder.network.stop()
        await receiver.network.stop()
    }
}
