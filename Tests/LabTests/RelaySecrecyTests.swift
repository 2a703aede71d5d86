#if os(Linux)
import DIGNATLab
import Foundation
import Testing

extension InLab {
    /// Packets recorded at the relay.
    @Suite("What a relay gets to see")
    struct RelaySecrecyTests {
        @Test("once a path was punched, the relay carries signaling only", .timeLimit(.minutes(2)))
        func punched() async throws {
            let file = LabFile.mebibytes(6)
            try await LabStage.with(homes: [LabStage.home("a", .portRestricted), LabStage.home("b", .portRestricted)]) { stage in
                let relay = try await stage.relay()
                let host = try await stage.lab.host("relay")
                let path = "\(try await stage.folder(of: "relay"))/relay.pcap"
                let capture = try await host.capture(to: path, filter: "tcp port 4001")
                let share = try await stage.share(file, on: "a", relays: [relay])
                let get = try await stage.get(share.link, on: "b", relays: [relay], options: ["--rate", "1MiB"])
                let direct = try await get.path("tcp-hole-punch")
                let directAt = Date().timeIntervalSince1970 - (ContinuousClock.now - direct.instant) / .seconds(1)
                try await get.finish(file)
                await capture.terminate()
                let packets = try PacketFile(path: path)
                #expect(!packets.packets.isEmpty)
                #expect(!packets.contains(LabFile.marker))
                // What was asked for over the relay before may still arrive for a while.
                let after = packets.byteCount(after: directAt + 1)
                #expect(after < file.data.count / 100, "\(after) bytes passed the relay later than a second after the path was direct")
                #expect(packets.byteCount() < file.data.count / 2, "\(packets.byteCount()) bytes passed the relay in all")
                print("LabTests: \(packets.byteCount()) bytes at the relay, \(after) of them later than a second after the path was direct")
            }
        }

        @Test("a relayed file passes the relay encrypted", .timeLimit(.minutes(2)))
        func relayed() async throws {
            let file = LabFile.mebibytes(3)
            try await LabStage.with(homes: [LabStage.home("a", .symmetric), LabStage.home("b", .symmetric)]) { stage in
                let relay = try await stage.relay()
                let host = try await stage.lab.host("relay")
                let path = "\(try await stage.folder(of: "relay"))/relay.pcap"
                let capture = try await host.capture(to: path, filter: "tcp port 4001")
                let share = try await stage.share(file, on: "a", relays: [relay])
                let get = try await stage.get(share.link, on: "b", relays: [relay])
                try await get.finish(file)
                #expect(get.path?.layer == "circuit-relay")
                await capture.terminate()
                let packets = try PacketFile(path: path)
                // In and out again.
                #expect(packets.byteCount() > 2 * file.data.count)
                #expect(!packets.contains(LabFile.marker))
                let name = Data("shared.bin".utf8)
                #expect(!packets.contains(name))
                // The same search finds what is in the clear.
                #expect(packets.contains(Data("/multistream/1.0.0".utf8)))
            }
        }
    }
}
#endif
