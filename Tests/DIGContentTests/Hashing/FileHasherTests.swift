import DIGContent
import Foundation
import Synchronization
import Testing

@Suite("Hashing files")
struct FileHasherTests {
    @Test("a file is hashed as its bytes are, with any number of threads", arguments: [0, 1, 16384, 65537, 1_048_576, 3_300_007])
    func sizes(size: Int) async throws {
        let folder = try TemporaryFolder()
        let bytes = TestContent.bytes(size)
        let path = try folder.write(bytes)
        for threads in [1, 3] {
            let file = try await FileHasher(threadCount: threads).hash(fileAt: path)
            #expect(file.chunkLayer == (try TreeLayer.of(bytes, chunkLayer: 2)))
            #expect(file.descriptor.root == ReferenceTree(bytes).root)
            #expect(file.descriptor.size == UInt64(size))
            #expect(file.stamp == (try FileStamp(ofFileAt: path)))
            #expect(file.layout == (try ChunkLayout(fileSize: UInt64(size))))
        }
        let coarse = try await FileHasher().hash(fileAt: path, chunkLayer: 6)
        #expect(coarse.descriptor.root == ReferenceTree(bytes).root)
        #expect(try await PlainSHA256.hash(fileAt: path) == TestContent.sha256(bytes))
    }

    @Test("progress only grows and ends at the size", arguments: [0, 5_000_000])
    func progress(size: Int) async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(TestContent.bytes(size))
        let reports = Mutex<[HashProgress]>([])
        _ = try await FileHasher(threadCount: 4).hash(fileAt: path) { progress in reports.withLock { $0.append(progress) } }
        let tree = reports.withLock { reports in
            defer { reports = [] }
            return reports
        }
        _ = try await PlainSHA256.hash(fileAt: path) { progress in reports.withLock { $0.append(progress) } }
        for list in [tree, reports.withLock { $0 }] {
            #expect(!list.isEmpty && list.last?.fraction == 1 && list.last?.completed == UInt64(size))
            #expect(zip(list, list.dropFirst()).allSatisfy { $0.completed < $1.completed })
            #expect(list.allSatisfy { $0.total == UInt64(size) })
        }
    }

    @Test("folders, missing files and pipes are refused")
    func refusals() async throws {
        let folder = try TemporaryFolder()
        await #expect(throws: ContentError(.notARegularFile, "")) { try await FileHasher().hash(fileAt: folder.path) }
        await #expect(throws: ContentError(.fileUnreadable, "")) { try await FileHasher().hash(fileAt: folder.path + "/missing") }
        await #expect(throws: ContentError(.notARegularFile, "")) { try await PlainSHA256.hash(fileAt: folder.path) }
        await #expect(throws: ContentError(.fileUnreadable, "")) { try await PlainSHA256.hash(fileAt: folder.path + "/missing") }
        let pipe = folder.path + "/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        await #expect(throws: ContentError(.notARegularFile, "")) { try await FileHasher().hash(fileAt: pipe) }
        let path = try folder.write([1])
        await #expect(throws: ContentError(.geometryMismatch, "")) { try await FileHasher().hash(fileAt: path, chunkLayer: 7) }
    }

    @Test("a sparse file above 1 TiB is refused at once")
    func tooLarge() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write([])
        guard truncate(path, (1 << 40) + 1) == 0 else { return }  // a file system without such files cannot hold one
        await #expect(throws: ContentError(.fileTooLarge, "")) { try await FileHasher().hash(fileAt: path) }
    }

    @Test("a file that grows, shrinks or is replaced while it is read is refused", arguments: ["grow", "shrink", "replace"])
    func changed(how: String) async throws {
        let folder = try TemporaryFolder()
        let bytes = TestContent.bytes(4_000_000)
        let path = try folder.write(bytes)
        let other = try folder.write(bytes, to: "other.bin")
        let isFirst = Mutex(true)
        let change: @Sendable (HashProgress) -> Void = { _ in
            guard isFirst.withLock({ first in defer { first = false }; return first }) else { return }
            switch how {
            case "grow": truncate(path, 5_000_000)
            case "shrink": truncate(path, 1_000_000)
            default: rename(other, path)
            }
        }
        await #expect(throws: ContentError(.fileChanged, "")) { try await FileHasher(threadCount: 1).hash(fileAt: path, progress: change) }
        let again = try folder.write(bytes)
        _ = try folder.write(bytes, to: "other.bin")
        isFirst.withLock { $0 = true }
        await #expect(throws: ContentError(.fileChanged, "")) { try await PlainSHA256.hash(fileAt: again, progress: change) }
    }

    @Test("cancelling the task ends the reading")
    func cancellation() async throws {
        let folder = try TemporaryFolder()
        let path = try folder.write(TestContent.bytes(8_000_000))
        for plain in [false, true] {
            let task = Mutex<Task<Void, any Error>?>(nil)
            let reports = Mutex(0)
            let progress: @Sendable (HashProgress) -> Void = { _ in
                reports.withLock { $0 += 1 }
                task.withLock { $0?.cancel() }
            }
            task.withLock { task in
                task = Task {
                    if plain {
                        _ = try await PlainSHA256.hash(fileAt: path, progress: progress)
                    } else {
                        _ = try await FileHasher(threadCount: 1).hash(fileAt: path, progress: progress)
                    }
                }
            }
            let running = task.withLock { $0 }
            await #expect(throws: CancellationError.self) { try await running?.value }
            #expect(reports.withLock { $0 } <= 2)
        }
    }
}
