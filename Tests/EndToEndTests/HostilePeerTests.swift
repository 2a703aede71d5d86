import DIGContent
import Testing

@testable import DIGTransfer

/// A peer that lies gets nowhere alone, and is named; with an honest holder beside it the file comes whole.
@Suite("hostile peers", .serialized, .timeLimit(.minutes(3)))
struct HostilePeerTests {
    struct Lie: Sendable, CustomTestStringConvertible {
        var testDescription: String
        /// How `get` ends if there is nobody else.
        var exitCode: Int32
        /// What it says about the peer.
        var message: String
        /// Whether anything true came before the lie.
        var keepsSomething = false
        var script: @Sendable (inout LyingHost.Script) -> Void

        init(
            _ description: String, exitCode: Int32, _ message: String, keepsSomething: Bool = false,
            _ script: @escaping @Sendable (inout LyingHost.Script) -> Void
        ) {
            self.testDescription = description
            self.exitCode = exitCode
            self.message = message
            self.keepsSomething = keepsSomething
            self.script = script
        }

        static func flip(_ description: String, chunk: Int, byte: Int) -> Lie {
            Lie("a bit flip in \(description)", exitCode: 4, "chunk \(chunk) from the peer is not what the tree says", keepsSomething: chunk > 0) { script in
                script.chunk = { index, bytes in
                    guard index == chunk else { return [(UInt32(index), bytes)] }
                    var bytes = bytes
                    bytes[byte < 0 ? bytes.count + byte : byte] ^= 0x10
                    return [(UInt32(index), bytes)]
                }
            }
        }

        static let all: [Lie] = [
            flip("the first byte of the first chunk", chunk: 0, byte: 0),
            flip("the middle of a chunk", chunk: 7, byte: 32_768),
            flip("the last byte of a chunk", chunk: 7, byte: -1),
            flip("the first byte of the last chunk", chunk: 15, byte: 0),
            flip("the last byte of the last chunk", chunk: 15, byte: -1),
            Lie("a descriptor with another size", exitCode: 4, "describes") {
                $0.describe = { description in
                    guard case .file(let size, let root, let layer) = description.content else { return nil }
                    return ContentDescription(.file(size: size + 1, root: root, chunkLayer: layer))
                }
            },
            Lie("a descriptor with another root", exitCode: 4, "describes") {
                $0.describe = { description in
                    guard case .file(let size, _, let layer) = description.content else { return nil }
                    return ContentDescription(.file(size: size, root: SHA256Digest(hashing: [1]), chunkLayer: layer))
                }
            },
            Lie("a tree segment with a bit flip", exitCode: 4, "do not lead to the root") {
                $0.hashes = { segment in
                    var hashes = segment.hashes
                    hashes[40] ^= 1
                    return HashSegment(layer: segment.layer, index: segment.index, count: segment.count, hashes: hashes, uncles: segment.uncles)
                }
            },
            Lie("another tree segment than was asked for", exitCode: 1, "hashes that were not asked for") {
                $0.hashes = { HashSegment(layer: $0.layer, index: $0.index + 1024, count: $0.count, hashes: $0.hashes, uncles: $0.uncles) }
            },
            Lie("a stream that ends in the middle of a chunk", exitCode: 7, "the peer reset the stream", keepsSomething: true) { $0.chunkCountBeforeEnd = 5 },
            Lie("every chunk twice", exitCode: 1, "not asked for", keepsSomething: true) { $0.chunk = { [(UInt32($0), $1), (UInt32($0), $1)] } },
            Lie("a chunk that the file does not have", exitCode: 1, "not asked for") { $0.chunk = { [(1_000_000 + UInt32($0), $1)] } },
            Lie("a chunk that is too long", exitCode: 1, "bytes, not 65536") { $0.chunk = { [(UInt32($0), $1 + [0])] } },
            Lie("a chunk that is too short", exitCode: 1, "bytes, not 65536") { $0.chunk = { [(UInt32($0), Array($1.dropLast()))] } },
            Lie("bytes that are no frame", exitCode: 1, "frame") { $0.noise = [UInt8](repeating: 0xff, count: 64) },
        ]
    }

    @Test(arguments: Lie.all)
    func liar(_ lie: Lie) async throws {
        let workspace = try Workspace()
        let file = try SampleFile(byteCount: 1_000_000)
        #expect(file.chunkCount == 16)
        let liar = try await HostilePeer.start(file, lie.script)
        let hash = file.descriptor.contentHash

        // Alone: its own error, the peer named, what was proven before kept, no file.
        let alone = try ShareLink(contentHash: hash, name: "film.bin", peers: [liar.address])
        let failed = try await workspace.run("alone", ["get", "\(alone)", "--timeout", "3"])
        failed.expectFailure(lie.exitCode, lie.message, "\(liar.peerID)")
        #expect(!workspace.downloaded.contains("film.bin"))
        let unfinished = try await workspace.run("alone", ["ls"]).first("unfinished")
        if lie.keepsSomething { #expect((unfinished?["fraction"].number ?? 0) > 0, "what was verified is kept") }
        workspace.expectNothingElseTouched()

        // With an honest holder, whom nobody reaches before the liar was found out.
        let holder = try await workspace.share("holder", [try workspace.write(file.bytes, to: "film.bin")])
        let gate = try await ForwardingProxy.start(to: try holder.port, isOpen: false)
        let both = try alone.with(peers: [liar.address, gate.address(of: try holder.address)])
        // What the first receiver left behind is over, or it would be taken for what the second one does.
        _ = try await liar.log.wait(for: "the first receiver's streams to end") { $0.endedStreamCount >= $0.describeCount ? () : nil }
        let before = liar.log.value.endedStreamCount
        let process = try workspace.start("both", ["get", "\(both)", "-o", workspace.downloads + "/both.bin"])
        _ = try await liar.log.wait(for: "the liar to be found out") { $0.endedStreamCount > before ? () : nil }
        gate.open()
        let result = try await process.end()
        result.expectSuccess()
        Workspace.expect(workspace.downloads + "/both.bin", holds: file.bytes)
        let blamed = result.finished["failures"].array.first { $0["peer"].string == "\(liar.peerID)" }
        #expect(blamed?["message"].string?.contains(lie.message) == true, "\(result)")
        #expect(!result.finished["failures"].array.contains { $0["peer"].string != "\(liar.peerID)" })
        workspace.expectNothingElseTouched()
        gate.stop()
        await liar.stop()
    }
}
