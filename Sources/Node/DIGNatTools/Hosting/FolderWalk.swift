package import DIGContent
import DIGStorage

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The regular files below a folder, in the order of their paths. Symbolic links are not followed: they could lead anywhere.
///
/// The data directory of a node is left out, wherever it is: it holds the private key.
package enum FolderWalk {
    package struct File {
        package let path: SafePath
        package let absolutePath: String
        package let size: UInt64
    }

    /// - Throws: `ContentError` with `.fileUnreadable` for a folder that can't be read, `.unsafePath` for a name that receivers would refuse.
    package static func files(in folder: String) throws -> [File] {
        var files: [File] = []
        var pending = [""]
        while let relative = pending.popLast() {
            let directory = relative.isEmpty ? folder : folder + "/" + relative
            let names: [String]
            do {
                names = try FileManager.default.contentsOfDirectory(atPath: directory)
            } catch {
                throw ContentError(.fileUnreadable, "the folder \(DisplayText.escaped(directory)) cannot be read", cause: error)
            }
            if names.contains(NodeDatabase.fileName) {
                if relative.isEmpty { throw Self.privateData(folder) }
                continue
            }
            for name in names {
                let path = relative.isEmpty ? name : relative + "/" + name
                let absolutePath = folder + "/" + path
                let attributes = try FileManager.default.attributesOfItem(atPath: absolutePath)
                switch attributes[.type] as? FileAttributeType {
                case .typeDirectory: pending.append(path)
                case .typeRegular:
                    let size = try FileStamp(ofFileAt: absolutePath).size
                    files.append(File(path: try SafePath(path), absolutePath: absolutePath, size: size))
                default: continue
                }
            }
        }
        return files.sorted { $0.path < $1.path }
    }

    /// Refuses a file in the data directory of a node.
    static func checkIsNotPrivate(_ path: String) throws(ContentError) {
        let directory = URL(fileURLWithPath: path).resolvingSymlinksInPath().deletingLastPathComponent()
        guard !FileManager.default.fileExists(atPath: directory.appendingPathComponent(NodeDatabase.fileName).path) else { throw self.privateData(path) }
    }

    private static func privateData(_ path: String) -> ContentError {
        ContentError(
            .unsafePath, "\(DisplayText.escaped(path)) belongs to the data of a node, with its private key, and is never shared; move what you want to share elsewhere")
    }
}
