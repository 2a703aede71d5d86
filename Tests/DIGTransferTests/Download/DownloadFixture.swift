import DIGContent
import Foundation
import Logging
import NIOCore
import NIOPosix

@testable import DIGTransfer

/// A directory of its own, removed at the end.
final class ScratchDirectory: Sendable {
    let path: String

    init() throws {
        self.path = FileManager.default.temporaryDirectory.appendingPathComponent("dig-download-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: self.path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: self.path)
        try? FileManager.default.removeItem(atPath: self.path)
    }

    func file(_ name: String) -> String { self.path + "/" + name }
    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: self.path)) ?? []).sorted() }
    func bytes(_ name: String) -> [UInt8]? { FileManager.default.contents(atPath: self.file(name)).map { Array($0) } }
    func write(_ bytes: [UInt8], to name: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: self.file(name))) }
}

extension FileDownload {
    /// Short waits, as befits a test.
    static func test(
        _ contentHash: ContentHash, descriptor: DIGContent.FileDescriptor? = nil, in directory: ScratchDirectory, name: String = "copy",
        policy: ExistingFilePolicy = .fail, store: any TransferStore = MemoryTransferStore(), eventLoop: (any EventLoop)? = nil,
        _ change: (inout DownloadOptions) -> Void = { _ in }
    ) throws -> FileDownload {
        var options = DownloadOptions()
        options.scheduling.holderTimeout = .milliseconds(500)
        options.progressInterval = .milliseconds(5)
        change(&options)
        return FileDownload(
            contentHash, descriptor: descriptor, to: try DownloadDestination(directory: directory.path, name: name, existingFile: policy), options: options,
            store: store, eventLoop: eventLoop ?? MultiThreadedEventLoopGroup.singleton.next(), threadPool: .singleton, logger: Logger(label: "download"))
    }

    /// Runs and returns the error.
    func failure() async -> TransferError? {
        do {
            _ = try await self.run()
            return nil
        } catch {
            return error as? TransferError
        }
    }
}
