import DIGContent
import NIOCore
import Testing

@testable import DIGTransfer

@Suite("verified bytes")
struct VerifiedBytesTests {
    func download(_ file: SharedFile, in directory: ScratchDirectory, bytesPerSecond: Int? = nil, _ change: (inout DownloadOptions) -> Void = { _ in }) async throws -> FileDownload {
        let provider = TestProvider()
        try provider.add(file)
        let download = try FileDownload.test(file.descriptor.contentHash, in: directory, change)
        download.add(try await LoopbackConnection.toHost(provider, bytesPerSecond: bytesPerSecond))
        return download
    }

    func collect(_ bytes: VerifiedBytes) async throws -> [UInt8] {
        var all: [UInt8] = []
        for try await piece in bytes {
            #expect(piece.readableBytes > 0 && piece.readableBytes <= 256 * 1024)
            all += piece.readableBytesView
        }
        return all
    }

    @Test("gives the whole file in order, to several readers, during and after the download")
    func whole() async throws {
        let file = try SharedFile(byteCount: 3_000_000)
        let directory = try ScratchDirectory()
        let download = try await self.download(file, in: directory, bytesPerSecond: 8_000_000)
        async let running = download.run()
        async let first = self.collect(download.bytes())
        async let second = self.collect(download.bytes(in: 1_000_000..<2_500_001))
        #expect(try await first == file.bytes)
        #expect(try await second == Array(file.bytes[1_000_000..<2_500_001]))
        _ = try await running
        #expect(try await self.collect(download.bytes()) == file.bytes)
    }

    @Test("the first byte comes before a twentieth of a rate-limited file has arrived")
    func firstByte() async throws {
        let file = try SharedFile(byteCount: 20_000_000)
        let directory = try ScratchDirectory()
        let download = try await self.download(file, in: directory, bytesPerSecond: 500_000)
        let running = Task { try await download.run() }
        var iterator = download.bytes().makeAsyncIterator()
        let piece = try await iterator.next()
        #expect(piece.map { Array($0.readableBytesView) } == piece.map { Array(file.bytes[..<$0.readableBytes]) })
        for await progress in download.progress {
            #expect(progress.verifiedByteCount < 1_000_000)
            break
        }
        running.cancel()
        _ = try? await running.value
    }

    @Test("a reader near the end gets its bytes long before the rest is there")
    func tail() async throws {
        let file = try SharedFile(byteCount: 20_000_000)
        let directory = try ScratchDirectory()
        let download = try await self.download(file, in: directory, bytesPerSecond: 4_000_000)
        let running = Task { try await download.run() }
        let tail = try await self.collect(download.bytes(in: 19_000_000..<19_100_000))
        #expect(tail == Array(file.bytes[19_000_000..<19_100_000]))
        for await progress in download.progress {
            #expect(progress.verifiedByteCount < 10_000_000)
            break
        }
        running.cancel()
        _ = try? await running.value
    }

    @Test("an empty file ends at once, a range behind the end is empty")
    func empty() async throws {
        let directory = try ScratchDirectory()
        let file = try SharedFile(byteCount: 0)
        let download = try await self.download(file, in: directory)
        async let running = download.run()
        #expect(try await self.collect(download.bytes()) == [])
        _ = try await running
        #expect(try await self.collect(download.bytes(in: 5..<10)) == [])
    }

    @Test("throws what ended the download")
    func failure() async throws {
        let file = try SharedFile(byteCount: 1000)
        let directory = try ScratchDirectory()
        let download = try FileDownload.test(file.descriptor.contentHash, in: directory)
        async let running = download.failure()
        let error = await #expect(throws: TransferError.self) { try await self.collect(download.bytes()) }
        #expect(error?.code == .noHolders)
        #expect(await running?.code == .noHolders)
    }

    @Test("cancelling the reader leaves the download alone")
    func cancel() async throws {
        let file = try SharedFile(byteCount: 2_000_000)
        let directory = try ScratchDirectory()
        let download = try await self.download(file, in: directory, bytesPerSecond: 4_000_000)
        let reading = Task { try await self.collect(download.bytes()) }
        async let running = download.run()
        for await progress in download.progress where progress.verifiedByteCount > 0 { break }
        reading.cancel()
        await #expect(throws: CancellationError.self) { try await reading.value }
        _ = try await running
        #expect(directory.bytes("copy") == file.bytes)
    }

    @Test("a range at the end of all numbers is empty")
    func farRange() async throws {
        let file = try SharedFile(byteCount: 700_000)
        let directory = try ScratchDirectory()
        let download = try await self.download(file, in: directory)
        async let running = download.run()
        #expect(try await self.collect(download.bytes(in: .max - 1 ..< .max)) == [])
        _ = try await running
    }

    @Test("for output only: nothing is left on disk")
    func temporary() async throws {
        let file = try SharedFile(byteCount: 700_000)
        let directory = try ScratchDirectory()
        let download = try await self.download(file, in: directory) { $0.keepsFile = false }
        async let running = download.run()
        #expect(try await self.collect(download.bytes()) == file.bytes)
        _ = try await running
        #expect(directory.names.isEmpty)
    }
}
