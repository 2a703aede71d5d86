import DIGContent
import Foundation
import Testing

@testable import DIGTransfer

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

@Suite("part file")
struct PartFileTests {
    let hash = ContentHash(digest: SHA256Digest(hashing: [1]))

    func open(_ scratch: ScratchDirectory, _ components: [String] = ["file"], size: UInt64 = 1000) throws -> PartFile {
        let destination = try DownloadDestination(directory: scratch.path, components: components)
        return try PartFile(in: DownloadDirectory(destination), name: destination.name, contentHash: self.hash, size: size)
    }

    func write(_ bytes: [UInt8], to part: PartFile, at offset: UInt64) throws {
        try bytes.withUnsafeBytes { try part.write($0, at: offset) }
    }

    func code(_ body: () throws -> Void) -> TransferError.Code? {
        do {
            try body()
            return nil
        } catch {
            return (error as? TransferError)?.code
        }
    }

    @Test("is hidden, private, sparse and of the final size, until it is published")
    func life() throws {
        let scratch = try ScratchDirectory()
        let part = try self.open(scratch, ["sub", "file"], size: 1 << 30)
        #expect(part.partName.hasPrefix(".file.") && part.partName.hasSuffix(".part"))
        var status = stat()
        #expect(stat(scratch.file("sub/" + part.partName), &status) == 0)
        #expect(status.st_size == 1 << 30)
        #expect(status.st_blocks < 100)
        #expect(status.st_mode & 0o777 == 0o600)
        try self.write([1, 2, 3], to: part, at: 500_000_000)
        let extents = try part.dataExtents()
        #expect(extents.contains { $0.contains(500_000_000) })
        let name = try part.publish(as: "file", policy: .fail, isDurable: true)
        #expect(name == "file")
        #expect(stat(scratch.file("sub/file"), &status) == 0)
        #expect(status.st_mode & 0o777 & ~0o644 == 0)
        #expect(status.st_mode & 0o600 == 0o600)
        #expect(status.st_nlink == 1)
    }

    @Test("is found again under the same name")
    func deterministic() throws {
        let scratch = try ScratchDirectory()
        do {
            let part = try self.open(scratch)
            #expect(!part.existed)
            try self.write([7], to: part, at: 10)
            part.close(promise: nil)
        }
        let part = try self.open(scratch)
        #expect(part.existed)
        var byte: UInt8 = 0
        let count = try withUnsafeMutableBytes(of: &byte) { try part.read(into: $0, at: 10) }
        #expect(count == 1 && byte == 7)
    }

    @Test("a long name still fits the file system")
    func longName() throws {
        let scratch = try ScratchDirectory()
        let name = String(repeating: "ä", count: 120)
        let part = try self.open(scratch, [name])
        #expect(try part.publish(as: name, policy: .fail, isDurable: false) == name)
    }

    @Test("is locked against a second download")
    func locked() throws {
        let scratch = try ScratchDirectory()
        let part = try self.open(scratch)
        #expect(self.code { _ = try self.open(scratch) } == .inUse)
        part.close(promise: nil)
        #expect(self.code { _ = try self.open(scratch) } == nil)
    }

    @Test("does not overwrite what appeared meanwhile")
    func noClobber() throws {
        let scratch = try ScratchDirectory()
        let part = try self.open(scratch)
        try scratch.write([9], to: "file")
        #expect(self.code { _ = try part.publish(as: "file", policy: .fail, isDurable: false) } == .alreadyExists)
        #expect(scratch.bytes("file") == [9])
        #expect(try part.publish(as: "file", policy: .keepBoth, isDurable: false) == "file (2)")
        #expect(scratch.bytes("file") == [9])
    }

    @Test("numbers before the extension")
    func numbered() {
        #expect(PartFile.numbered("report.pdf", 2) == "report (2).pdf")
        #expect(PartFile.numbered("archive.tar.gz", 3) == "archive.tar (3).gz")
        #expect(PartFile.numbered("plain", 2) == "plain (2)")
        #expect(PartFile.numbered(".profile", 2) == ".profile (2)")
    }

    @Test("a symbolic link in the way is an error of its own, with every policy", arguments: ExistingFilePolicy.allCases)
    func symbolicLink(policy: ExistingFilePolicy) throws {
        let scratch = try ScratchDirectory()
        let outside = try ScratchDirectory()
        try outside.write([5], to: "target")
        let part = try self.open(scratch)
        try FileManager.default.createSymbolicLink(atPath: scratch.file("file"), withDestinationPath: outside.file("target"))
        #expect(self.code { _ = try part.publish(as: "file", policy: policy, isDurable: false) } == .unsafePath)
        #expect(outside.bytes("target") == [5])
    }

    @Test("a symbolic link in place of the part file is not written through")
    func partIsLink() throws {
        let scratch = try ScratchDirectory()
        let outside = try ScratchDirectory()
        try outside.write([5], to: "target")
        let name = PartFile.partName(for: "file", contentHash: self.hash)
        try FileManager.default.createSymbolicLink(atPath: scratch.file(name), withDestinationPath: outside.file("target"))
        #expect(self.code { _ = try self.open(scratch) } == .unsafePath)
        #expect(outside.bytes("target") == [5])
    }

    @Test("a hard link or a pipe in place of the part file is refused")
    func partIsShared() throws {
        let scratch = try ScratchDirectory()
        let name = PartFile.partName(for: "file", contentHash: self.hash)
        try scratch.write([5], to: "precious")
        #expect(link(scratch.file("precious"), scratch.file(name)) == 0)
        #expect(self.code { _ = try self.open(scratch) } == .unsafePath)
        #expect(scratch.bytes("precious") == [5])
        #expect(unlink(scratch.file(name)) == 0)
        #expect(mkfifo(scratch.file(name), 0o600) == 0)
        #expect(self.code { _ = try self.open(scratch) } == .unsafePath)
    }

    @Test("a symbolic link on the way to the file is not followed")
    func linkOnTheWay() throws {
        let scratch = try ScratchDirectory()
        let outside = try ScratchDirectory()
        try FileManager.default.createSymbolicLink(atPath: scratch.file("sub"), withDestinationPath: outside.path)
        #expect(self.code { _ = try self.open(scratch, ["sub", "file"]) } == .unsafePath)
        #expect(outside.names.isEmpty)
    }

    @Test("names that would leave the directory are refused", arguments: ["..", ".", "", "a/b", "/etc/passwd", "../../x", "a\0b", String(repeating: "a", count: 256)])
    func hostileNames(name: String) {
        #expect(self.code { _ = try DownloadDestination(directory: "/tmp", name: name) } == .unsafePath)
        #expect(self.code { _ = try DownloadDestination(directory: "/tmp", components: [name, "x"]) } == .unsafePath)
    }

    @Test("a directory that is missing or read-only says so")
    func notWritable() throws {
        let scratch = try ScratchDirectory()
        #expect(self.code { _ = try PartFile(in: DownloadDirectory(try DownloadDestination(directory: scratch.file("missing"), name: "x")), name: "x", contentHash: self.hash, size: 1) } == .notWritable)
        // The superuser may write anywhere but into the kernel's own directories.
        if geteuid() == 0 {
            #expect([.notWritable].contains(self.code { _ = try PartFile(in: DownloadDirectory(try DownloadDestination(directory: "/proc/self", name: "x")), name: "x", contentHash: self.hash, size: 1) }))
        } else {
            try FileManager.default.setAttributes([.posixPermissions: 0o500], ofItemAtPath: scratch.path)
            #expect(self.code { _ = try self.open(scratch) } == .notWritable)
        }
    }

    @Test("a full disk says so")
    func diskFull() throws {
        // Every write to /dev/full fails as on a full disk.
        let full = Glibc.open("/dev/full", O_RDWR)
        #expect(full >= 0)
        defer { _ = Glibc.close(full) }
        #expect(self.code { try [UInt8](repeating: 0, count: 10).withUnsafeBytes { try PartFile.write($0, to: full, at: 0, path: "x") } } == .diskFull)
    }

    @Test("system errors become what to do next")
    func errors() {
        let table: [(Int32, TransferError.Code)] = [
            (ENOSPC, .diskFull), (EDQUOT, .diskFull), (EACCES, .notWritable), (EROFS, .notWritable), (EPERM, .notWritable), (ENOENT, .notWritable),
            (ELOOP, .unsafePath), (ENOTDIR, .unsafePath), (EEXIST, .alreadyExists), (EFBIG, .tooLarge), (EIO, .diskFailure),
        ]
        for (number, code) in table {
            let error = TransferError.disk(number, "the file")
            #expect(error.code == code)
            #expect(error.message.contains("the file"))
        }
    }
}
