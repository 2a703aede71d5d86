#if os(Linux)
import DIGNATLab
import Testing

extension InLab {
    @Suite("How long it takes at 40 ms to the relay and back")
    struct TimingTests {
        private static let runs = 5

        private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

        @Test("the first bytes come through the relay within a second, the direct path within three", .timeLimit(.minutes(4)))
        func times() async throws {
            // One packet or two: the end is when the first bytes are there, and verified.
            let small = LabFile(byteCount: 1000)
            let large = LabFile.mebibytes(64)
            try await LabStage.with(homes: [LabStage.home("a", .portRestricted), LabStage.home("b", .portRestricted), LabStage.home("c", .symmetric)]) { stage in
                let relay = try await stage.relay()
                var (relayed, direct): ([Double], [Double]) = ([], [])
                let little = try await stage.share(small, on: "a", relays: [relay])
                for _ in 0..<Self.runs {
                    let get = try await stage.get(little.link, on: "c", relays: [relay])
                    let finished = try await get.process.timedEvent("finished")
                    relayed.append(try get.seconds(to: finished.instant))
                    try await get.finish(small)
                    #expect(get.path?.layer == "circuit-relay")
                }
                await little.process.terminate()
                let much = try await stage.share(large, on: "a", relays: [relay])
                for _ in 0..<Self.runs {
                    let get = try await stage.get(much.link, on: "b", relays: [relay], options: ["--rate", "1MiB"])
                    let path = try await get.path("tcp-hole-punch")
                    direct.append(try get.seconds(to: path.instant))
                    await get.process.terminate()
                }
                print("LabTests: seconds to the first bytes through the relay: \(relayed); to a direct path: \(direct)")
                #expect(Self.median(relayed) < 1, "\(relayed)")
                #expect(Self.median(direct) < 3, "\(direct)")
            }
        }
    }
}
#endif
