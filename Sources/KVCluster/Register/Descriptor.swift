import KVCore

/// What a key's register holds: not the bytes, which were put beside it under their upload id, but what they are.
package struct Descriptor: Hashable, Sendable {
  package enum Kind: Hashable, Sendable {
    case value
    /// The key was deleted. It stays known until all owners know of it.
    case deletion
  }

  package let upload: UploadID
  package let kind: Kind
  package let valueBytes: Int
  package let committedAtNanoseconds: Int64
  package let checksum: ValueChecksum
  /// By what the write is recognised when its client repeats it, where the client has said it.
  package let request: RequestToken?

  package init(
    upload: UploadID, kind: Kind, valueBytes: Int, committedAtNanoseconds: Int64, checksum: ValueChecksum,
    request: RequestToken? = nil
  ) {
    self.upload = upload
    self.kind = kind
    self.valueBytes = valueBytes
    self.committedAtNanoseconds = committedAtNanoseconds
    self.checksum = checksum
    self.request = request
  }

  /// Whether both are about the same bytes. Files that came by other means at one time have one upload id.
  func hasBytes(of other: Descriptor) -> Bool {
    upload == other.upload && hasContent(of: other)
  }

  /// Whether the bytes are alike, whichever upload they came with.
  package func hasContent(of other: Descriptor) -> Bool {
    kind == other.kind && valueBytes == other.valueBytes && checksum == other.checksum
  }

  /// Whether a client has asked for both by the same name: one of them repeats the other.
  package func repeats(_ other: Descriptor) -> Bool { request != nil && request == other.request }
}

/// What one disk has of a key.
package struct Held: Hashable, Sendable {
  /// The ballot at which it was accepted.
  package var ballot: Ballot
  package var descriptor: Descriptor
  /// Whether the bytes are there, and whole. Without them the disk still votes: losing bytes must not lose the vote.
  package var hasBytes: Bool

  package init(ballot: Ballot, descriptor: Descriptor, hasBytes: Bool) {
    self.ballot = ballot
    self.descriptor = descriptor
    self.hasBytes = hasBytes
  }
}

/// What one disk has of a key of a group that is gone through.
package struct HeldKey: Hashable, Sendable {
  package let key: Key
  package let ballot: Ballot
  package let descriptor: Descriptor

  package init(key: Key, ballot: Ballot, descriptor: Descriptor) {
    self.key = key
    self.ballot = ballot
    self.descriptor = descriptor
  }
}

/// What an owner says of a key when it is asked.
package struct Testimony: Hashable, Sendable {
  /// What it holds, or nil where it has nothing.
  package let held: Held?
  /// The highest ballot that may have been forgotten with deletions of the key's group: "absent" is no ballot 0.
  package let floor: Ballot

  package init(held: Held?, floor: Ballot) {
    self.held = held
    self.floor = floor
  }

  /// The ballot of what is held.
  package var ballot: Ballot { held?.ballot ?? .none }
}
