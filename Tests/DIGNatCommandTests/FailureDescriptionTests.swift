import DIGCommandLine
import DIGContent
import DIGNatTools
import DIGNet
import DIGStorage
import DIGTransfer
import Testing

@testable import dig_nat

@Suite("Failures")
struct FailureDescriptionTests {
    @Test("each kind of error has its exit status and says what to do next")
    func statuses() throws {
        let errors: [(any Error, CommandStatus)] = [
            (NodeError(.notFound, "x"), .notFound), (NodeError(.notShared, "x"), .notFound), (NodeError(.unreachable, "x"), .unreachable),
            (NodeError(.ambiguousName, "x"), .notFound), (NodeError(.cannotListen, "x"), .failure),
            (TransferError(.corruptChunk, "x"), .verificationFailed), (TransferError(.contentMismatch, "x"), .verificationFailed),
            (TransferError(.bindingMismatch, "x"), .verificationFailed), (TransferError(.noHolders, "x"), .notFound),
            (TransferError(.notFound, "x"), .notFound), (TransferError(.refused, "x"), .refused), (TransferError(.stalled, "x"), .unreachable),
            (TransferError(.diskFull, "x"), .disk), (TransferError(.notWritable, "x"), .disk), (TransferError(.alreadyExists, "x"), .disk),
            (TransferError(.unsafePath, "x"), .disk), (TransferError(.storeFailure, "x"), .disk), (TransferError(.isFolder, "x"), .usage),
            (ContentError(.malformedLink, "x"), .usage), (ContentError(.wrongHashLength, "x"), .usage), (ContentError(.fileUnreadable, "x"), .disk),
            (ContentError(.proofMismatch, "x"), .verificationFailed), (ContentError(.fileTooLarge, "x"), .refused),
            (StorageError(.damaged, "x"), .disk), (ConnectionError(.allAttemptsFailed, "x"), .unreachable),
            (ConnectionError(.peerMismatch, "x"), .verificationFailed), (ConfigurationError.noHome(needed: .keyFile), .configuration),
        ]
        for (error, status) in errors {
            let failure = FailureDescription.failure(for: error)
            #expect(failure.status == status, "\(error)")
            #expect(failure.next != nil, "\(error)")
        }
        #expect(FailureDescription.failure(for: CancellationError()).status == .interrupted)
    }

    @Test("the options of the command take the place of the library's advice; a path is never cut")
    func advice() {
        let failure = FailureDescription.failure(for: TransferError(.alreadyExists, "/d/a: b exists already: choose another name or move it away"))
        #expect(failure.what == "/d/a: b exists already")
        #expect(failure.next?.contains("--existing") == true)
        #expect(FailureDescription.failure(for: TransferError(.unsafePath, "the name /x/a: b/c is too long")).what == "the name /x/a: b/c is too long")
    }

    @Test("each attempt is a line of its own")
    func attempts() {
        let failure = FailureDescription.failure(for: NodeError(.unreachable, "no holder could be reached; is it shared?\n  a: refused\n  b: timed out"))
        #expect(failure.details == ["a: refused", "b: timed out"])
        #expect(failure.next == "is it shared?")
    }

    @Test("signals have the shell's exit codes")
    func signals() {
        #expect(FailureDescription.interruption(by: 2).status == .interrupted)
        #expect(FailureDescription.interruption(by: 15).status == .terminated)
    }
}
