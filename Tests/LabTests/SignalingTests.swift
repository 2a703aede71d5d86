#if os(Linux)
import DIGNATLab
import Testing

extension InLab {
    /// Two homes behind NATs, and nobody who relays: what the two agree on goes through mailboxes.
    @Suite("Homes that have no relay between them")
    struct SignalingTests {
        private static let file = LabFile.mebibytes(3)
        private static let homes = [LabStage.home("a", .portRestricted), LabStage.home("b", .portRestricted)]

        /// Two public nodes, so that a home learns how its NAT maps, and what to say to make a home's node know them.
        private func meetingPlaces(_ stage: LabStage, options: [String] = []) async throws -> [String] {
            let first = try await stage.meetingPlace(on: "first", options: options)
            let second = try await stage.meetingPlace(on: "second", options: options + ["--bootstrap", first.address])
            return ["--bootstrap", first.address, "--bootstrap", second.address, "--no-local-discovery"]
        }

        @Test("dht: by the content's hash alone, and directly (LAY-07)", .timeLimit(.minutes(3)))
        func dht() async throws {
            try await LabStage.with(relays: 0, hosts: ["first", "second"], homes: Self.homes) { stage in
                let options = try await self.meetingPlaces(stage)
                let share = try await stage.share(Self.file, on: "a", options: options)
                var get = try await stage.get(share.contentHash, on: "b", options: options)
                // Who has just come publishes in a while what letters to it are sealed with.
                while try await get.process.wait(timeout: .seconds(120)).exit.isSuccess == false, get.story.contains("has published no key") {
                    get = try await stage.get(share.contentHash, on: "b", options: options)
                }
                try await get.finish(Self.file)
                #expect(get.path?.layer == "dht" && get.path?.direct == true, "\(get.story)")
            }
        }

        @Test("tcp-hole-punch: agreed on through GUN, without a DHT (LAY-03)", .timeLimit(.minutes(3)))
        func gun() async throws {
            try await LabStage.with(relays: 0, hosts: ["first", "second", "gun"], homes: Self.homes) { stage in
                let places = try await self.meetingPlaces(stage, options: ["--no-dht"])
                let host = try await stage.lab.host("gun").ipv4
                _ = try await stage.meetingPlace(on: "gun", options: ["--no-dht", "--gun-listen", "\(host):8765"])
                let options = places + ["--no-dht", "--gun", "ws://\(host):8765/gun"]
                let share = try await stage.share(Self.file, on: "a", options: options)
                let get = try await stage.get(share.contentHash, on: "b", options: options)
                try await get.finish(Self.file, within: .seconds(120))
                #expect(get.path?.layer == "tcp-hole-punch" && get.path?.direct == true, "\(get.story)")
            }
        }
    }
}
#endif
