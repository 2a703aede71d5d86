import DIGContent
import DIGTestSupport
import Testing

@testable import DIGTransfer

@Suite("download state machine")
struct DownloadStateMachineTests {
    func isFinished(_ swarm: VirtualSwarm) -> Bool {
        if case .success = swarm.outcome { return true }
        return false
    }

    func failure(_ swarm: VirtualSwarm) -> TransferError? {
        if case .failure(let error) = swarm.outcome { return error }
        return nil
    }

    func key(_ value: UInt64) -> PeerKey { PeerKey(rawValue: value) }

    @Test("fetches every chunk once, from front to back, from one holder", arguments: [0, 1, 2, 15, 16, 17, 1024, 1025, 3000])
    func oneHolder(chunkCount: Int) throws {
        var swarm = try VirtualSwarm(chunkCount: chunkCount)
        swarm.add(1, rate: 50e6)
        swarm.run()
        #expect(self.isFinished(swarm))
        #expect(swarm.verifiedOrder == Array(0..<chunkCount))
        #expect(swarm.requested[self.key(1)] ?? 0 == chunkCount)
        #expect(swarm.bytes(from: 1) == swarm.descriptor.size)
    }

    @Test("asks for a single chunk in the same round trip as for the description")
    func singleChunk() throws {
        var swarm = try VirtualSwarm(chunkCount: 1, knowsDescriptor: true)
        swarm.add(1, rate: 1e9)
        swarm.run()
        #expect(self.isFinished(swarm))
        #expect(swarm.now - swarm.start < .milliseconds(21))
    }

    @Test("reaches most of a fast long link's rate")
    func longLink() throws {
        var swarm = try VirtualSwarm(chunkCount: 8000)
        swarm.add(1, rate: 20e6) { $0.roundTrip = .milliseconds(150) }
        swarm.run()
        let ideal = Double(swarm.descriptor.size) / 20e6
        #expect((swarm.now - swarm.start).seconds < ideal * 1.2)
    }

    @Test("gives a peer that is ten times as fast about ten times as much")
    func shareFollowsRate() throws {
        var swarm = try VirtualSwarm(chunkCount: 4000)
        swarm.add(1, rate: 20e6)
        swarm.add(2, rate: 2e6)
        swarm.run()
        #expect(self.isFinished(swarm))
        let share = Double(swarm.bytes(from: 1)) / Double(swarm.bytes(from: 2))
        #expect(share > 7 && share < 14, "share \(share)")
        #expect((swarm.now - swarm.start).seconds < Double(swarm.descriptor.size) / 22e6 * 1.2)
    }

    @Test("adds up the rates of equal peers")
    func parallel() throws {
        var swarm = try VirtualSwarm(chunkCount: 4000)
        for peer in 1...4 { swarm.add(UInt64(peer), rate: 5e6) }
        swarm.run()
        #expect((swarm.now - swarm.start).seconds < Double(swarm.descriptor.size) / 20e6 * 1.2)
    }

    @Test("never exceeds the concurrency that was set", arguments: [(5, nil as Int?), (10, 3)])
    func fixedLimits(concurrency: Int, perPeer: Int?) throws {
        var configuration = DownloadConfiguration()
        configuration.concurrency = concurrency
        configuration.peerConcurrency = perPeer
        var swarm = try VirtualSwarm(chunkCount: 300, configuration: configuration)
        for peer in 1...5 { swarm.add(UInt64(peer), rate: Double(peer) * 1e6) }
        swarm.run()
        #expect(self.isFinished(swarm))
        #expect(swarm.maximumTotal == concurrency)
        #expect(swarm.maximumOutstanding.values.max() ?? 0 <= perPeer ?? concurrency)
    }

    @Test("with the whitepaper's presets 5 chunks are asked for at once, or 10 in all and 3 of each peer (XFR-02, XFR-11)")
    func presets() throws {
        var single = try VirtualSwarm(chunkCount: 300, configuration: .singleSource)
        single.add(1, rate: 10e6)
        single.run()
        #expect(self.isFinished(single))
        #expect(single.maximumTotal == 5)
        var multi = try VirtualSwarm(chunkCount: 600, configuration: .multiSource)
        for peer in 1...5 { multi.add(UInt64(peer), rate: Double(peer) * 1e6) }
        multi.run()
        #expect(self.isFinished(multi))
        #expect(multi.maximumTotal == 10)
        #expect(multi.maximumOutstanding.values.max() == 3)

        #expect(DownloadConfiguration.singleSource.concurrency == 5)
        #expect(DownloadConfiguration.multiSource.concurrency == 10)
        #expect(DownloadConfiguration.multiSource.peerConcurrency == 3)
        #expect(DownloadConfiguration().strategy.rawValue == "fastest-available")
    }

    @Test("gives a stalled peer's chunks to another after ten seconds, and lets it go after thirty")
    func stall() throws {
        var swarm = try VirtualSwarm(chunkCount: 400)
        swarm.add(1, rate: 2e6) { $0.silentFrom = .seconds(1) }
        swarm.add(2, rate: 1e6)
        swarm.run(until: { _ in false })
        #expect(self.isFinished(swarm))
        // Everything is here soon after the ten seconds, or even before by duplicates at the end.
        #expect((swarm.now - swarm.start).seconds < 40)
        var alone = try VirtualSwarm(chunkCount: 400)
        alone.add(1, rate: 2e6) { $0.silentFrom = .seconds(1) }
        alone.run()
        #expect(alone.dropped[self.key(1)]?.code == .stalled)
        let error = try #require(self.failure(alone))
        #expect(error.code == .noHolders)
        #expect(error.peers.map(\.error.code) == [.stalled])
        #expect((alone.now - alone.start).seconds >= 60)
    }

    @Test("takes what a stalled peer still sends, and asks it again")
    func stallEnds() throws {
        var swarm = try VirtualSwarm(chunkCount: 2)
        swarm.add(1, rate: 65536 / 12)  // 12 s for a chunk
        swarm.run()
        #expect(self.isFinished(swarm))
        #expect(swarm.dropped.isEmpty)
        #expect(swarm.requested[self.key(1)] == 2)
    }

    @Test("lets a fast peer take over what a slow one still owes at the end, and cancels the loser")
    func endgame() throws {
        var swarm = try VirtualSwarm(chunkCount: 200)
        swarm.add(1, rate: 10e6)
        swarm.add(2, rate: 30e3)
        swarm.run()
        #expect(self.isFinished(swarm))
        // Five chunks at 30 kB/s alone would take eleven seconds.
        #expect((swarm.now - swarm.start).seconds < 5)
        #expect(swarm.cancelled[self.key(2)] ?? 0 > 0)
        #expect(Set(swarm.verifiedOrder).count == swarm.verifiedOrder.count)
    }

    @Test("makes no duplicates when they are switched off")
    func noDuplicates() throws {
        var configuration = DownloadConfiguration()
        configuration.maximumRequesterCount = 1
        var swarm = try VirtualSwarm(chunkCount: 200, configuration: configuration)
        swarm.add(1, rate: 10e6)
        swarm.add(2, rate: 300e3)
        swarm.run()
        #expect(self.isFinished(swarm))
        #expect(swarm.requested.values.reduce(0, +) == 200)
    }

    @Test("bans the peer of a corrupt chunk and fetches the chunk from another")
    func corrupt() throws {
        var swarm = try VirtualSwarm(chunkCount: 100)
        swarm.add(1, rate: 10e6) { $0.corrupt = [40] }
        swarm.add(2, rate: 1e6)
        swarm.run()
        #expect(self.isFinished(swarm))
        #expect(swarm.dropped[self.key(1)]?.code == .corruptChunk)
        let banned = try #require(swarm.peers[self.key(1)]?.id)
        #expect(swarm.machine.failures.first?.peer == banned)
        var again = try VirtualSwarm(chunkCount: 100)
        again.add(1, rate: 10e6) { $0.corrupt = [40] }
        again.run(until: { !$0.dropped.isEmpty })
        let id = try #require(again.peers[self.key(1)]?.id)
        let result26 = again.machine.peerAdded(PeerKey(rawValue: 9), peer: id, now: again.now)
        #expect(!result26)
    }

    @Test("keeps what is verified when every holder is gone, and says why each is")
    func allGone() throws {
        var swarm = try VirtualSwarm(chunkCount: 100)
        swarm.add(1, rate: 10e6) { $0.corrupt = [40] }
        swarm.run()
        let error = try #require(self.failure(swarm))
        #expect(error.code == .noHolders)
        #expect(error.peers.map(\.error.code) == [.corruptChunk])
        #expect(error.message.contains("chunks are kept"))
        #expect(swarm.machine.picker.verifiedCount >= 39)
    }

    @Test("waits for a new holder as long as it was told to")
    func waits() throws {
        var swarm = try VirtualSwarm(chunkCount: 100)
        swarm.add(1, rate: 1e6)
        swarm.run(limit: .seconds(2))
        swarm.remove(1)
        swarm.run(limit: .seconds(29))
        #expect(swarm.outcome == nil)
        swarm.add(2, rate: 1e6)
        swarm.run()
        #expect(self.isFinished(swarm))
        #expect(Set(swarm.verifiedOrder).count == 100)
    }

    @Test("drops a peer whose descriptor does not hash to what was asked for")
    func lyingDescriptor() throws {
        var swarm = try VirtualSwarm(chunkCount: 10)
        swarm.add(1, rate: 10e6) { $0.lyingDescriptor = true }
        swarm.add(2, rate: 10e6)
        swarm.run()
        #expect(self.isFinished(swarm))
        #expect(swarm.dropped[self.key(1)]?.code == .contentMismatch)
    }

    @Test("drops a peer whose hashes do not lead to the root, and asks another")
    func lyingHashes() throws {
        var swarm = try VirtualSwarm(chunkCount: 2000)
        swarm.add(1, rate: 10e6) { $0.lyingHashes = true }
        swarm.add(2, rate: 10e6)
        swarm.run()
        #expect(self.isFinished(swarm))
        #expect(swarm.dropped[self.key(1)]?.code == .corruptHashes)
        #expect(swarm.dropped[self.key(2)] == nil)
    }

    @Test("refuses hashes, bitfields and ranges that cannot be")
    func violations() throws {
        let inputs: [(inout VirtualSwarm) -> Void] = [
            { $0.machine.receivedHashes(HashSegment(layer: 2, index: 0, count: 1, hashes: [], uncles: []), from: PeerKey(rawValue: 1), now: $0.now) },
            { $0.machine.receivedHashes(HashSegment(layer: 2, index: -5, count: 1, hashes: [], uncles: []), from: PeerKey(rawValue: 1), now: $0.now) },
            { $0.machine.receivedBitfield(.part(first: 8, bits: [UInt8](repeating: 1, count: 50)), from: PeerKey(rawValue: 1), now: $0.now) },
            { swarm in
                guard let range = ChunkRange(first: 90, count: 50) else { return }
                swarm.machine.receivedHave([range], from: PeerKey(rawValue: 1), now: swarm.now)
            },
            { swarm in
                guard let range = ChunkRange(first: .max, count: 1) else { return }
                swarm.machine.chunksUnavailable(range, reason: .busy, from: PeerKey(rawValue: 1), now: swarm.now)
            },
            { swarm in
                let description = ContentDescription(.file(size: swarm.descriptor.size, root: swarm.descriptor.root, chunkLayer: 2))
                swarm.machine.described(PeerKey(rawValue: 1), as: description, now: swarm.now)
            },
        ]
        for (index, input) in inputs.enumerated() {
            var swarm = try VirtualSwarm(chunkCount: 100)
            swarm.add(1, rate: 1e6)
            swarm.run(limit: .milliseconds(200))
            input(&swarm)
            swarm.drain()
            #expect(swarm.dropped[self.key(1)]?.code == .protocolViolation, "input \(index)")
        }
    }

    @Test("drops hosts that do not have it, refuse, or call it a folder, each with its reason")
    func refusals() throws {
        let answers: [(ContentDescription.Content, TransferError.Code)] = [
            (.notFound, .notFound), (.refused(.busy), .refused), (.refused(.layerUnsupported), .unsupportedLayer), (.folder(byteCount: 100), .isFolder),
        ]
        for (content, code) in answers {
            var machine = DownloadStateMachine(contentHash: try VirtualSwarm(chunkCount: 3).descriptor.contentHash, now: .now)
            _ = machine.peerAdded(self.key(1), peer: VirtualSwarm.peerID(), now: .now)
            machine.described(self.key(1), as: ContentDescription(content), now: .now)
            #expect(machine.failures.map(\.error.code) == [code])
        }
    }

    @Test("says at once that it is a folder if that is all it hears")
    func folder() throws {
        var swarm = try VirtualSwarm(chunkCount: 3)
        _ = swarm.machine.peerAdded(self.key(1), peer: VirtualSwarm.peerID(), now: swarm.now)
        swarm.machine.described(self.key(1), as: ContentDescription(.folder(byteCount: 99)), now: swarm.now)
        swarm.drain()
        #expect(self.failure(swarm)?.code == .isFolder)
    }

    @Test("fetches from partial holders what each has, and what they gain")
    func partialHolders() throws {
        var swarm = try VirtualSwarm(chunkCount: 60)
        swarm.add(1, rate: 1e6) { $0.holds = Set(0..<20) }
        swarm.add(2, rate: 1e6) { $0.holds = Set(15..<40) }
        swarm.run(limit: .seconds(5))
        #expect(swarm.machine.picker.verifiedCount == 40)
        let range = try #require(ChunkRange(first: 40, count: 20))
        swarm.machine.receivedHave([range], from: self.key(1), now: swarm.now)
        swarm.run()
        #expect(self.isFinished(swarm))
    }

    @Test("asks for the hashes where a partial holder has chunks, however far from the front")
    func partialHolderFarAway() throws {
        var swarm = try VirtualSwarm(chunkCount: 20_000)
        swarm.add(1, rate: 10e6) { $0.holds = Set(19_000..<19_040) }
        swarm.run(limit: .seconds(5))
        #expect(Set(swarm.verifiedOrder) == Set(19_000..<19_040))
    }

    @Test("fetches first what a reader waits for")
    func reader() throws {
        var swarm = try VirtualSwarm(chunkCount: 20_000)
        swarm.add(1, rate: 5e6)
        swarm.run(limit: .milliseconds(500))
        let before = swarm.verifiedOrder.count
        swarm.machine.setPriorities([15_000..<15_100], now: swarm.now)
        swarm.run(limit: .seconds(10), until: { Set($0.verifiedOrder).isSuperset(of: 15_000..<15_100) })
        // Behind what was asked for before, and little else.
        #expect(swarm.verifiedOrder.count - before < 100 + 150)
    }

    @Test("proves what an earlier run left before it counts, and fetches the rest")
    func resume() throws {
        var swarm = try VirtualSwarm(chunkCount: 2500)
        var claimed = ChunkBitmap(count: 2500)
        claimed.insert(0..<1500)
        swarm.claimed = claimed
        swarm.storedValid = Set(0..<1500).subtracting([7, 1100])
        swarm.add(1, rate: 10e6)
        swarm.run()
        #expect(self.isFinished(swarm))
        #expect(swarm.requested[self.key(1)] == 1002)
    }

    @Test("finishes without any peer if everything is there and the hashes are known")
    func resumeComplete() throws {
        var swarm = try VirtualSwarm(chunkCount: 100, knowsDescriptor: true)
        var claimed = ChunkBitmap(count: 100)
        claimed.insert(0..<100)
        swarm.claimed = claimed
        swarm.storedValid = Set(0..<100)
        swarm.knownLayer = true
        swarm.run()
        #expect(self.isFinished(swarm))
    }

    @Test("comes through with peers that come, stall, lie and go", arguments: 1...12)
    func chaos(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var swarm = try VirtualSwarm(chunkCount: 700, seed: UInt64(seed))
        swarm.add(1, rate: 400e3) { $0.roundTrip = .milliseconds(80) }
        for peer in 2...12 {
            let kind = Int.random(in: 0..<5, using: &random)
            let rate = Double.random(in: 50e3...3e6, using: &random)
            let chunk = Int.random(in: 0..<700, using: &random)
            let silentFrom = Duration.milliseconds(Int.random(in: 500...20_000, using: &random))
            swarm.add(UInt64(peer), rate: rate) {
                switch kind {
                case 0: $0.corrupt = [chunk]
                case 1: $0.silentFrom = silentFrom
                case 2: $0.lyingHashes = true
                case 3: $0.holds = Set(chunk..<min(700, chunk + 200))
                default: break
                }
            }
            swarm.run(limit: .milliseconds(Int.random(in: 0...1500, using: &random)))
            if kind == 4, Bool.random(using: &random) { swarm.remove(UInt64(peer)) }
        }
        swarm.run()
        #expect(self.isFinished(swarm), "seed \(seed)")
        #expect(swarm.verifiedOrder.sorted() == Array(0..<700))
        #expect(swarm.dropped[self.key(1)] == nil)
    }
}
